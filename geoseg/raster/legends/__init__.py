"""Legends that ship, as files of classes that anybody can copy and change.

Each says in its first lines where it is from and what was decided. A class merges the
names that mean it in the other legends; numbers from 111 on are classes of CORINE
level 3, whose names are in corine_level_3.yaml.
"""
