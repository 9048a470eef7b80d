"""Strongly connected components of a directed graph: its loops, in an order to follow."""

from collections.abc import Callable, Iterable, Iterator


def strong_components(
    roots: Iterable[str], followers: Callable[[str], Iterable[str]]
) -> Iterator[list[str]]:
    """Groups of nodes that lead to each other, each group after all that it leads to.

    A node on no loop is alone; so is one that leads only to itself.  (Tarjan 1972, without
    recursion.)

    Args:
        roots: the nodes to start from.
        followers: where a node leads to; asked once of each.
    """
    order: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    open_nodes: set[str] = set()
    for root in roots:
        if root in order:
            continue
        work: list[tuple[str, Iterator[str]]] = []
        entered: str | None = root
        while entered is not None or work:
            if entered is not None:
                order[entered] = low[entered] = len(order)
                stack.append(entered)
                open_nodes.add(entered)
                work.append((entered, iter(followers(entered))))
            node, rest = work[-1]
            entered = None
            for follower in rest:
                if follower not in order:
                    entered = follower
                    break
                if follower in open_nodes:
                    low[node] = min(low[node], order[follower])
            if entered is not None:
                continue
            work.pop()
            if work:
                low[work[-1][0]] = min(low[work[-1][0]], low[node])
            if low[node] == order[node]:
                component = [stack.pop()]
                while component[-1] != node:
                    component.append(stack.pop())
                open_nodes.difference_update(component)
                yield component
