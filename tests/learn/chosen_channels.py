"""Channels that random graphs learn, drawn with a seed."""

from engram.nn import formats
from engram.nn.channels import axes
from learn.stage_cases import Assembled


def chosen(case, rng, format="f32"):
    """(scope, {node: {"in", "out": channels}}): channels of each node with weights; an axis that
    is missing has all of them."""
    run, terms, sides = Assembled(case, scope="all", format=format), [], {}
    for node in run.nodes:
        if not formats.load(node["format"]).tensors(node):
            continue
        own = {}
        head = run.spec.net.head is node
        one_axis = axes(node)["in"] == axes(node)["out"]
        for side in ("in", "out"):
            count = axes(node)[side][1]
            if rng.random() < 0.3 or (head and side == "out") or (one_axis and own):
                continue
            own[side] = sorted(rng.sample(range(count), rng.randint(1, count)))
            terms.append(f"{node['name']}.{side}:{'+'.join(map(str, own[side]))}")
        if own and one_axis:
            own = {"in": next(iter(own.values())), "out": next(iter(own.values()))}
        sides[node["name"]] = own
        if not own:
            terms.append(node["name"])
    return ",".join(terms), sides
