"""Hamiltonian Monte Carlo and moves of the level, with a Metropolis correction, several chains in one batch.

Shapes: a state is (n, M), one chain a row. Chains share nothing: each has its own random numbers and its own
step size, so that a chain is the same whatever runs beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Energy = Callable[[Tensor], Tensor]
"""States (n, M) to potentials (n,), nats: minus the log-density up to a constant."""
Force = Callable[[Tensor], Tensor]
"""States (n, M) to the gradients (n, M) of the potential; may be of a lower precision than the energy."""

# Acceptance that the step size is set to in the warm-up, and the constants of its averaging (Hoffman and
# Gelman, 2014).
_WANTED = 0.8
_GAMMA, _T0, _KAPPA = 0.05, 10.0, 0.75
# Proposals of a level behind each trajectory, and their deviation in nepers times the root of the length.
_LEVEL_MOVES, _BOLD = 4, 1.5


class Walk(NamedTuple):
    """Where chains ended and how they came there.

    Attributes:
        state: (n, M) the last states.
        potential: (n,) theirs, nats.
        start: (n,) potentials of the first states.
        acceptance: (n,) fraction of the trajectories behind the warm-up that were accepted; 0 without any.
        step: (n,) step sizes behind the warm-up.
    """

    state: Tensor
    potential: Tensor
    start: Tensor
    acceptance: Tensor
    step: Tensor


def walk(
    energy: Energy,
    force: Force,
    start: Tensor,
    generators: Sequence[torch.Generator],
    *,
    steps: int,
    warm: int,
    leaps: int,
    on_step: Callable[[int, int], None] | None = None,
) -> Walk:
    """Run `steps` trajectories of at most `leaps` leapfrog steps from the states `start` (n, M).

    The potential should be near that of standard normal coordinates. Behind every trajectory stretches of the
    coordinates are proposed louder or quieter as a whole, which leapfrog steps change slowly. The first
    `warm` trajectories find the step size. The Metropolis correction makes the density that of `energy`,
    whatever the precision of `force`: a leapfrog step is reversible and keeps volumes for any force. States
    with a potential that is not finite are never gone to. `generators`: one for each chain, on the CPU.
    """
    n = len(start)
    state, potential = start, energy(start)
    first, gradient = potential, force(start)
    bold = start.new_full((n,), 0.5 * start.shape[1] ** -0.25)
    anchor = (10.0 * bold).log()
    error, mean = torch.zeros_like(bold), torch.zeros_like(bold)
    accepted = torch.zeros_like(bold)
    for turn in range(steps):
        if turn == warm and warm:
            bold = mean.exp()
        normal, even = _numbers(start, generators)
        momentum = normal[:, : start.shape[1]]
        # All chains take one number of leaps, so that no chain's numbers depend on another's.
        count = 1 + (turn * 7 + 3) % leaps if turn >= warm else max(1, leaps // 2)
        there, speed, slope = state, momentum, gradient
        # Steps vary a little, so that no period is met.
        size = (bold * (0.9 + 0.2 * even[:, 0])).unsqueeze(1)
        for _ in range(count):
            speed = speed - 0.5 * size * slope
            there = there + size * speed
            slope = force(there)
            speed = speed - 0.5 * size * slope
        found = energy(there)
        change = found - potential + 0.5 * (speed.square().sum(1) - momentum.square().sum(1))
        chance = torch.where(torch.isfinite(change), (-change).clamp(max=0.0).exp(), torch.zeros_like(change))
        taken = even[:, 1] < chance
        state = torch.where(taken.unsqueeze(1), there, state)
        potential = torch.where(taken, found, potential)
        for move in range(_LEVEL_MOVES):
            numbers = even[:, 2 + 3 * move : 5 + 3 * move]
            state, potential = _move_level(energy, state, potential, normal[:, -1 - move], numbers)
        gradient = force(state)
        if turn < warm:
            rank = turn + 1.0
            error = error + (_WANTED - chance - error) / (rank + _T0)
            bold = (anchor - math.sqrt(rank) / _GAMMA * error).exp()
            weight = rank**-_KAPPA
            mean = weight * bold.log() + (1.0 - weight) * mean
        else:
            accepted = accepted + taken.to(accepted)
        if on_step is not None:
            on_step(turn + 1, steps)
    return Walk(state, potential, first, accepted / max(1, steps - warm), bold)


def _move_level(
    energy: Energy, state: Tensor, potential: Tensor, normal: Tensor, even: Tensor
) -> tuple[Tensor, Tensor]:
    """Multiply a stretch of each state by a factor, or keep the state; its Jacobian is factor^length.

    From a normal number for each chain (n,) and three even ones (n, 3): the length, from all of the state to
    a sixteenth, the place, and the toss.
    """
    size = state.shape[1]
    length = (size * 2.0 ** (1.0 - 5.0 * even[:, 0])).ceil().clamp(1.0, float(size))
    start = (even[:, 1] * (size - length + 1.0)).floor()
    place = torch.arange(size, device=state.device)
    inside = (place >= start.unsqueeze(1)) & (place < (start + length).unsqueeze(1))
    gain = inside * (_BOLD * normal / length.sqrt()).unsqueeze(1)
    there = state * gain.exp()
    found = energy(there)
    change = found - potential - gain.sum(1)
    taken = torch.isfinite(change) & (even[:, 2].log() < -change)
    return torch.where(taken.unsqueeze(1), there, state), torch.where(taken, found, potential)


def _numbers(like: Tensor, generators: Sequence[torch.Generator]) -> tuple[Tensor, Tensor]:
    """What each chain needs for a trajectory: normal numbers (n, M + moves), even ones (n, 2 + 3·moves)."""
    sizes = like.shape[1] + _LEVEL_MOVES, 2 + 3 * _LEVEL_MOVES
    normal = [torch.randn(sizes[0], generator=one, dtype=torch.float64) for one in generators]
    even = [torch.rand(sizes[1], generator=one, dtype=torch.float64) for one in generators]
    return torch.stack(normal).to(like), torch.stack(even).to(like)
