"""Import modules from a folder as Lambda does from a read-only one, and tell how long it took.

python -I -B importing.py FOLDER MODULE…     → seconds
"""

import importlib
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    began = time.perf_counter()
    for name in sys.argv[2:]:
        importlib.import_module(name)
    print(time.perf_counter() - began)
