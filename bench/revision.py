"""Which commit is measured."""
import shutil
import subprocess


def commit(root):
    """Short name of the checked-out commit; empty without git, or where root is no checkout."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", "-C", root, "rev-parse", "--short", "HEAD"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True).stdout.strip()
