"""Damage as disks do it: nobody wrote, so size and time of the file are as before."""

import os


def damage_unnoticed(path, offset, count):
    """Put zeros in a file, and give the bytes that stood there."""
    status = path.stat()
    with path.open("r+b") as file:
        file.seek(offset)
        sound = file.read(count)
        file.seek(offset)
        file.write(bytes(count))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    return sound
