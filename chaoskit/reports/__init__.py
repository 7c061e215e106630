"""Reports: pure functions from a run and its judgement to HTML, Markdown, JSON, JUnit XML and terminal text.

``write.write`` puts all of them into a folder; each renderer is imported only when it is used.
"""
