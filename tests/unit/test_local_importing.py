from build.local.importing import _BEGIN, _top_level

PRINTED = f"""import time:       100 |        100 | site
{_BEGIN}
import time:      1000 |       1000 |       zlib
import time:      2000 |       3000 |     pkg.deep
import time:      4000 |       7000 |   pkg
import time:      1000 |       8000 | other
import time:       500 |        500 |   zlib.more
import time:      1500 |       2000 | pkg.late
"""
"""As Python prints it: the innermost first, two spaces deeper for each level."""


def test_the_time_of_a_module_has_all_it_imports_and_counts_nothing_twice():
    assert sorted(_top_level(PRINTED)) == [("other", 8.0), ("pkg", 9.0), ("zlib", 1.5)]
