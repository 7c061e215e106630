"""``python -m docs._generate``: renew every generated part of README and docs, and say which pages changed."""

import sys

from docs._generate.pages import ROOT, pages, renewed


def main() -> int:
    """Rewrite what is out of date."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fresh = renewed(page, text)
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            sys.stdout.write(f"renewed {page.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
