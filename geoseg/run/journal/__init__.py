"""What a run has done: finished files, and proof that a resume is the same run.

Its rooms, from below:

* `store`: what a run directory can do, whatever it is on;
* `disk`: a run directory on a disk;
* `objects`: a run directory on an object store;
* `state`: what the owner of a run says of it to whoever looks;
* `journal`: the finished tasks of a run, and whose run it is.
"""
