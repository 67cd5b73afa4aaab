"""What people take away from a run besides its maps: a preview and a report."""
