"""What geoseg waits for, made short: each time is named here and nowhere else."""

from importlib import import_module

WAITS = {
    "answer": "geoseg.storage.remote.ANSWER_S",
    "answer_of_scheduler": "geoseg.run.cluster.remote._ANSWER_S",
    "another_look_at_locks": "geoseg.run.many_scenes._LOOK_S",
    "another_look_at_workers": "geoseg.run.engine._LOOK_S",
    "new_line": "geoseg.cli.progress._SILENCE_S",
    "no_workers": "geoseg.run.engine._PATIENCE_S",
    "probe": "geoseg.storage.timeouts.PROBE_S",
    "server_sends": "geoseg.scene.files.servers._SILENT_S",
    "slow_answer": "geoseg.storage.waiting._LONG_S",
    "stopped_worker": "geoseg.run.cluster.presence._STOPPED_S",
    "trial": "geoseg.diagnose.trial_blocks.MEASURED_S",
    "worker_calls": "geoseg.run.cluster.presence._SILENT_S",
}
"""What is waited for, and the module's constant that says how long, in seconds."""


def shorten(monkeypatch, **seconds):
    """Wait only so long, until a test has ended."""
    for what, value in seconds.items():
        module, _, name = WAITS[what].rpartition(".")
        monkeypatch.setattr(import_module(module), name, value)
