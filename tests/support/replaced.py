"""Ways in which a file becomes another one while it is read."""


def rename_over(path, other):
    other.replace(path)


def write_in_place(path, other):
    path.write_bytes(other.read_bytes())


def turn_link(path, other):
    path.unlink()
    path.symlink_to(other)


def take_away(path, _):
    path.unlink()


WAYS = (rename_over, write_in_place, turn_link, take_away)
