"""What programs say about the GPU in their own words, read without a profile that names the program.

`vocabulary` holds the words as patterns, `sentences` reads one line, `endings` the lines by which a program says that
it ends by its own error.
"""

from .sentences import Kind, Words, read_lines, words_of
from .vocabulary import MARKS

__all__ = ["MARKS", "Kind", "Words", "read_lines", "words_of"]
