"""What every part that trains with torch shares. torch is imported when the first one is used."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fairsk.utils._optional import import_optional

DEVICES = ("auto", "cpu", "cuda")


def import_torch(purpose: str) -> Any:
    """Import torch, or say that the extra ``neural`` installs it.

    Examples
    --------
    >>> import_torch("The example").nn.__name__
    'torch.nn'
    """
    return import_optional("torch", extra="neural", purpose=purpose)


def check_device(device: str) -> str:
    """Turn ``device`` into the name of a device that is there.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"}
        "auto" takes the GPU where there is one.

    Raises
    ------
    ValueError
        If the name is unknown, or no GPU is at hand for "cuda".
    """
    if device not in DEVICES:
        raise ValueError(f"device must be one of {list(DEVICES)}, got {device!r}.")
    has_gpu = import_torch("device").cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise ValueError("device='cuda', but torch sees no GPU. Use device='auto' or 'cpu'.")
    return "cuda" if device != "cpu" and has_gpu else "cpu"


@contextmanager
def private_rng(seed: int, device: str = "cpu") -> Iterator[None]:
    """Run a block on torch's global generators seeded afresh, and put their state back after it.

    Initialisation and dropout of torch modules know only the global generators.

    Examples
    --------
    >>> torch = import_torch("The example")
    >>> before = torch.random.get_rng_state()
    >>> with private_rng(0):
    ...     _ = torch.rand(3)
    >>> bool((before == torch.random.get_rng_state()).all())
    True
    """
    torch = import_torch("Training a network")
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield


class _FlatOptimizer:
    """An optimizer on one flat vector that holds all parameters.

    The parameters become views of the vector and so do their gradients. A step is then a few calls
    whatever the number of parameters; for small networks this takes half the time of torch's own
    optimizers, whose cost is their calls. Any module does, without sparse gradients.
    """

    def __init__(self, parameters: Iterable[Any], lr: float, *, weight_decay: float = 0.0) -> None:
        self._torch = import_torch("Training a network")
        self.parameters = [p for p in parameters if p.requires_grad]
        if not self.parameters:
            raise ValueError("The module has no parameter that requires a gradient.")
        self.lr, self.weight_decay = lr, weight_decay
        self.values = self._torch.cat([p.detach().reshape(-1) for p in self.parameters])
        self.gradient = self._torch.zeros_like(self.values)
        start = 0
        for parameter in self.parameters:
            stop = start + parameter.numel()
            parameter.data = self.values[start:stop].view_as(parameter)
            parameter.grad = self.gradient[start:stop].view_as(parameter)
            start = stop

    def step(self, loss: Any) -> None:
        """Go one step down the gradient of the scalar ``loss``."""
        self.gradient.zero_()
        loss.backward()
        with self._torch.no_grad():
            self.apply()

    def apply(self) -> None:
        """Go one step down the gradient that is in ``gradient`` already."""
        raise NotImplementedError

    def _decayed_gradient(self) -> Any:
        if not self.weight_decay:
            return self.gradient
        return self.gradient.add(self.values, alpha=self.weight_decay)

    def state(self) -> dict[str, Any]:
        """What the next step needs to know of those before."""
        return {}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from the `state` of an optimizer of the same kind and parameters."""

    def is_finite(self) -> bool:
        """Whether all parameters are finite."""
        return bool(self._torch.isfinite(self.values).all())

    def release(self) -> None:
        """Give every parameter its own memory again, without a gradient."""
        for parameter in self.parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None


class FlatSGD(_FlatOptimizer):
    """Stochastic gradient descent, without momentum, on one flat vector that holds all parameters.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        Those that require a gradient are trained. They must be on one device.
    lr : float
    weight_decay : float, default=0.0
        L2 penalty on all parameters, added to the gradient.
    """

    def apply(self) -> None:
        self.values.add_(self._decayed_gradient(), alpha=-self.lr)


class FlatAdam(_FlatOptimizer):
    """Adam on one flat vector that holds all parameters.

    Parameters
    ----------
    parameters : iterable of torch.nn.Parameter
        Those that require a gradient are trained. They must be on one device.
    lr : float
    weight_decay : float, default=0.0
        L2 penalty on all parameters, added to the gradient.
    betas : pair of float, default=(0.9, 0.999)
    eps : float, default=1e-8

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, algorithm 1.
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float,
        *,
        weight_decay: float = 0.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(parameters, lr, weight_decay=weight_decay)
        self.betas, self.eps = betas, eps
        self._mean = self._torch.zeros_like(self.values)
        self._square = self._torch.zeros_like(self.values)
        self._n_steps = 0

    def apply(self) -> None:
        self._n_steps += 1
        first, second = self.betas
        gradient = self._decayed_gradient()
        self._mean.lerp_(gradient, 1 - first)
        self._square.mul_(second).addcmul_(gradient, gradient, value=1 - second)
        correction = (1 - second**self._n_steps) ** -0.5
        scale = self._square.sqrt().mul_(correction).add_(self.eps)
        self.values.addcdiv_(self._mean, scale, value=-self.lr / (1 - first**self._n_steps))

    def state(self) -> dict[str, Any]:
        return {"n_steps": self._n_steps, "mean": self._mean, "square": self._square}

    def resume(self, state: dict[str, Any]) -> None:
        self._n_steps = state["n_steps"]
        self._mean, self._square = (
            state[name].to(self.values.device, copy=True) for name in ("mean", "square")
        )


OPTIMIZERS: dict[str, Any] = {"adam": FlatAdam, "sgd": FlatSGD}


class EarlyStopping:
    """Remember the best state of some modules, and say when to stop.

    Parameters
    ----------
    modules : sequence of torch.nn.Module
    patience : int
        Number of scores in a row without an improvement after which to stop.
    tolerance : float, default=0.0
        An improvement is at least this much.

    Attributes
    ----------
    best_score : float
    best_epoch : int
        Index of the best score.
    """

    def __init__(self, modules: Iterable[Any], patience: int, tolerance: float = 0.0) -> None:
        self.modules, self.patience, self.tolerance = list(modules), patience, tolerance
        self.best_score, self.best_epoch, self.n_scores = np.inf, -1, 0
        self._states: list = []

    def update(self, score: float) -> bool:
        """Take the score of an epoch, lower is better; True means stop."""
        if score < self.best_score - self.tolerance:
            self.best_score, self.best_epoch = score, self.n_scores
            self._states = [copy.deepcopy(module.state_dict()) for module in self.modules]
        self.n_scores += 1
        return self.n_scores - 1 - self.best_epoch >= self.patience

    def restore(self) -> None:
        """Put the best state back."""
        for module, state in zip(self.modules, self._states, strict=True):
            module.load_state_dict(state)


def progress_bar(n_epochs: int, verbose: int, description: str) -> Any:
    """The epochs as an iterable, with a tqdm bar where ``verbose`` is positive."""
    if verbose <= 0:
        return range(n_epochs)
    tqdm = import_optional("tqdm.auto", extra="neural", purpose="A progress bar")
    return tqdm.tqdm(range(n_epochs), desc=description, leave=verbose > 1)


def minimise_in_batches(
    module: Any,
    loss: Callable[[Any], Any],
    n_train: int,
    validation_loss: Callable[[], Any],
    *,
    lr: float,
    weight_decay: float,
    batch_size: int,
    max_epochs: int,
    patience: int,
    seed: int,
    verbose: int = 0,
    description: str = "",
) -> list[float]:
    """Train a module by minibatches until the validation loss stops falling; keep the best state.

    Parameters
    ----------
    module : torch.nn.Module
    loss : callable
        From an index tensor of training rows to their mean loss, a scalar tensor.
    n_train : int
    validation_loss : callable
        Gives a scalar tensor.
    lr, weight_decay, batch_size, max_epochs, patience, seed, verbose, description
        As in the estimators.

    Returns
    -------
    list of float
        The validation loss after each epoch.

    Raises
    ------
    FloatingPointError
        If not one epoch gave a finite validation loss.
    """
    torch = import_torch("Training a network")
    generator = torch.Generator().manual_seed(seed)
    optimizer = FlatAdam(module.parameters(), lr, weight_decay=weight_decay)
    stopping = EarlyStopping([module], patience)
    curve = []
    for _ in progress_bar(max_epochs, verbose, description):
        for rows in torch.randperm(n_train, generator=generator).split(batch_size):
            optimizer.step(loss(rows))
        with torch.no_grad():
            curve.append(float(validation_loss()))
        if stopping.update(curve[-1]) or not np.isfinite(curve[-1]):
            break
    if stopping.best_epoch < 0:
        raise FloatingPointError(
            f"Training diverged: the validation loss is {curve[-1]} after the first epoch. "
            f"Lower lr={lr:g}, or check the data for extreme values."
        )
    stopping.restore()
    optimizer.release()
    return curve
