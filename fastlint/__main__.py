"""`python -m fastlint` is `fastlint`. Nothing else."""

import os
import sys

# `-m` puts the working directory first on the path: a `types.py` or `click.py` of the linted project would be imported
# in place of the real one. Only where fastlint itself lies there (a checkout that is not installed) it has to stay.
if sys.path and os.path.abspath(sys.path[0] or ".") == os.getcwd() and not os.path.isdir("fastlint/rulebook"):
    del sys.path[0]

from fastlint.entry import main

main()
