"""Templates that only copy what is said: a conversation of such a one is written by joining texts.

Rendering Jinja costs a third as much as tokenizing. Whether a template merely copies contents is
proven from its syntax tree, never guessed from what it gives; where there is no proof, and where a
content is empty, it is rendered.
"""

from jinja2 import TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

_CONTENT = "content"
_MESSAGES = "messages"
_NEIGHBOURS = {"previtem", "nextitem", "changed"}
"""What `loop` tells of the messages themselves."""
_LEAVE_ALONE = (nodes.Template, nodes.For, nodes.If, nodes.With)
"""What output may stand in: anything else (a filter's, a variable's or a caller's block, a macro)
takes it up as a text of its own, to do with it what it likes."""
_EXTENSIONS = ("jinja2.ext.loopcontrols", "jinja2.ext.do")


def only_copies(source: str) -> bool:
    """Whether a chat template puts each content out as it is, or leaves it out, by roles alone.

    A content may be joined to other text, put out, and asked whether it is empty. A message may be
    asked for its fields by their names, the list of messages for its length and for its items and
    slices by numbers. Anything else (a filter, a method, a test, a variable, `message | tojson`, a
    block whose output is filtered or kept) could look into what is said.
    """
    environment = ImmutableSandboxedEnvironment(extensions=_EXTENSIONS)
    try:
        tree = environment.parse(source)
    except TemplateSyntaxError:
        return False
    spoken = {_MESSAGES} | _loop_variables(tree)
    return all(_is_harmless(chain, spoken) for chain in _names_read(tree, ()))


def _loop_variables(tree: nodes.Template) -> set[str]:
    """The names of single messages: loops over the list, or over a part of it."""
    return {
        loop.target.name
        for loop in tree.find_all(nodes.For)
        if isinstance(loop.target, nodes.Name) and _field_of(loop.iter) is None
        if any(name.name == _MESSAGES for name in _self_and_below(loop.iter))
    }


def _self_and_below(node: nodes.Node) -> list[nodes.Name]:
    own = [node] if isinstance(node, nodes.Name) else []
    return [*own, *node.find_all(nodes.Name)]


Chain = tuple[nodes.Node, ...]
"""A node after all those that it stands in, outermost first."""


def _names_read(node: nodes.Node, above: Chain) -> list[Chain]:
    chain = (*above, node)
    found = [chain] if isinstance(node, nodes.Name) and node.ctx == "load" else []
    for child in node.iter_child_nodes():
        found += _names_read(child, chain)
    return found


def _is_harmless(chain: Chain, spoken: set[str]) -> bool:
    """Whether reading a name tells nothing of what a message says but that it says something."""
    name = getattr(chain[-1], "name", None)
    whole, around = _furthest_access(chain)
    field = _field_of(whole)
    if name == "loop":
        return field is not None and field not in _NEIGHBOURS
    if name not in spoken:
        return True
    if field is None:
        return _only_counts_or_walks(whole, around)
    is_called = bool(around) and isinstance(around[-1], nodes.Call) and around[-1].node is whole
    return _is_copied(whole, around) if field == _CONTENT else not is_called


def _furthest_access(chain: Chain) -> tuple[nodes.Node, Chain]:
    """The longest access like `messages[0].content` that begins at a name, and what is around."""
    place = len(chain) - 1
    while place and isinstance(chain[place - 1], nodes.Getattr | nodes.Getitem):
        above = chain[place - 1]
        if above.node is not chain[place] or _field_of(chain[place]) is not None:  # type: ignore[attr-defined]
            break
        place -= 1
    return chain[place], chain[:place]


def _field_of(node: nodes.Node) -> str | None:
    """The name of the field that is asked for, where it is one by name."""
    if isinstance(node, nodes.Getattr):
        return node.attr
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return node.arg.value if isinstance(node.arg.value, str) else None
    return None


def _is_copied(content: nodes.Node, around: Chain) -> bool:
    """Whether a content ends in the output, by way of joining only, or is asked if it is empty."""
    inner = content
    for place, node in reversed(tuple(enumerate(around))):
        if isinstance(node, nodes.Output):
            return all(isinstance(outer, _LEAVE_ALONE) for outer in around[:place])
        if isinstance(node, nodes.If):
            return node.test is inner
        if isinstance(node, nodes.CondExpr) and node.test is inner:
            return True
        if not isinstance(node, nodes.Add | nodes.Concat | nodes.CondExpr | nodes.And | nodes.Not):
            return False
        inner = node
    return False


def _only_counts_or_walks(whole: nodes.Node, around: Chain) -> bool:
    """Whether messages are walked over, counted, or held against a field that is asked for."""
    outer = around[-1] if around else None
    if isinstance(outer, nodes.For):
        return outer.iter is whole
    if isinstance(outer, nodes.Filter):
        return outer.name in {"length", "count"}
    if isinstance(outer, nodes.If):
        return outer.test is whole
    return False
