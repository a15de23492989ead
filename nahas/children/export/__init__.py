"""A trained child as files that run elsewhere, each with its accuracy beside the child's own."""

from nahas.children.export.card import ExportCard, Form
from nahas.children.export.child import Child, is_divided_alike, read_child
from nahas.children.export.export import Export, export_child
from nahas.children.export.formats import FORMATS

__all__ = [
    "FORMATS",
    "Child",
    "Export",
    "ExportCard",
    "Form",
    "export_child",
    "is_divided_alike",
    "read_child",
]
