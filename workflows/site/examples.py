"""Griffe's extension that shows the examples of docstrings as code.

They stand under "Example:", which pydocstyle asks for, and Griffe reads code under
"Examples:" alone.
"""

from griffe import Docstring, Extension, Object


class Examples(Extension):
    """Call the section as Griffe does."""

    def on_object(self, *, obj: Object, **_: object) -> None:
        """Look at the docstring of whatever was found."""
        match obj.docstring:
            case Docstring(value=text):
                obj.docstring.value = text.replace("\nExample:\n", "\nExamples:\n")
