"""The diagnostics of one run: its published folder and the held-out sets in, four tables out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ired.base.errors import UserError
from ired.base.files import read_json, write_text
from ired.diagnostics.conditioning import conditioning
from ired.diagnostics.energy_profile import (
    diversity_statistics,
    gap_statistics,
    gradient_conflict,
    likelihood_statistics,
    path_statistics,
    saturation_share,
)
from ired.diagnostics.error_directions import error_direction_rows
from ired.diagnostics.error_sizes import error_size_rows
from ired.energy import BoundEnergy
from ired.negatives import Positives, Proposal
from ired.record.schema import DIAGNOSTICS
from ired.study.run_config import RunConfig
from ired.tasks import ProblemSet
from ired.tasks.held_out import read_split
from ired.tasks.inversion import eigenvalues, ladder
from ired.training.engine import Engine
from ired.training.objective import contrast_logit, contrast_loss, denoising_loss

OUTPUTS = {f"{name}.csv": table.names for name, table in DIAGNOSTICS.items()}


def read_run(run_dir: Path) -> tuple[RunConfig, dict[str, Any]]:
    """A run's configuration and metrics.

    Raises:
        UserError: one is missing, or they do not belong together.
    """
    config = RunConfig.from_json(
        (run_dir / "config.json").read_text() if (run_dir / "config.json").exists() else "", str(run_dir)
    )
    metrics = read_json(run_dir / "metrics.json")
    if metrics["fingerprint"] != config.fingerprint():
        raise UserError(
            f"{run_dir}/config.json does not match metrics.json beside it; delete both and ask for them again"
        )
    return config, metrics


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors by name.

    Raises:
        UserError: the file is missing or cut.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path} cannot be read ({error}); delete its folder and ask for the run again"
        ) from None


def read_snapshots(run_dir: Path) -> dict[int, Tensor]:
    """Step -> weights (P,), in order of the steps."""
    stored = read_tensors(run_dir / "snapshots.safetensors")
    return dict(sorted((int(name.removeprefix("step")), flat) for name, flat in stored.items()))


def diagnose(run_dir: Path, data: Path, matrices: int, out_dir: Path, device: str = "cpu") -> None:
    """Write the four tables of a run, on the first `matrices` matrices of the validation and test sets."""
    config, metrics = read_run(run_dir)
    tables = {name: pd.DataFrame(columns=list(expected)) for name, expected in OUTPUTS.items()}
    if metrics["status"] == "finished":
        engine = Engine(config, (config.seed,), device)
        held_out = read_split(data / "validation.npz", engine.task, config.held_out).first(matrices)
        conditioning_rows, profile_rows = [], []
        for step, flat in read_snapshots(run_dir).items():
            key = {"phase": step / config.training.steps, "step": step}
            for t in range(engine.descender.schedule.levels):
                rows = Level(engine, flat[None].to(device), held_out, t, step).rows()
                conditioning_rows += [key | row for row in rows["conditioning"]]
                profile_rows.append(key | rows["profile"])
        tables["conditioning.csv"] = pd.DataFrame(conditioning_rows)
        tables["energy_profile.csv"] = pd.DataFrame(profile_rows)
        tables |= errors(run_dir, data, engine, matrices)
    for name, expected in OUTPUTS.items():
        # Columns that do not apply (nothing is mined without a contrast) are there and empty.
        write_text(out_dir / name, tables[name].reindex(columns=expected).to_csv(index=False))


class Level:
    """One snapshot of the weights, that of `step`, at one noise level: on fixed matrices with noise that is
    equal for every variant at equal seed."""

    def __init__(self, engine: Engine, flat: Tensor, matrices: ProblemSet, t: int, step: int) -> None:
        self.engine, self.t, self.step = engine, t, step
        self.flat = flat.requires_grad_(engine.config.contrast is not None)
        condition, solution = (
            matrices.condition[None].to(engine.device),
            matrices.solution[None].to(engine.device),
        )
        levels = torch.full(condition.shape[:2], t, dtype=torch.int64, device=engine.device)
        schedule, streams = engine.descender.schedule, engine.streams.at(t)
        noise = streams.normal("diagnostics", *condition.shape[1:])
        positive = schedule.noised(solution, levels, noise)
        self.batch = Positives(condition, solution, levels, noise, positive)
        self.energy = BoundEnergy(engine.network, engine.layout.unflatten(self.flat), condition, levels)
        self.root = schedule.sqrt_alpha_bar[t].item()
        self.sigma = schedule.sigma[t].item()

    def rows(self) -> dict[str, Any]:
        """Rows of conditioning.csv (positive, negative) and energy_profile.csv."""
        count = self.batch.condition.shape[1]
        samples = {"positive": self.batch.positive}
        profile: dict[str, Any] = {"t": self.t, "matrices": count}
        if self.engine.config.contrast is None:
            with torch.no_grad():
                profile["energy_positive"] = self.energy.energy(self.batch.positive).mean().item()
        else:
            # No snapshot keeps a replay buffer: its chains start fresh here, at every level.
            self.engine.strategy.load_state({})
            with torch.no_grad():
                proposal = self.engine.strategy.propose(self.energy, self.batch, self.engine.streams)
            samples["negative"] = proposal.negative
            profile |= self._profile(proposal)
        rows = [
            {"t": self.t, "sample": name, "matrices": count}
            | conditioning(self.batch.condition[0].cpu(), y[0].cpu() / self.root)
            for name, y in samples.items()
        ]
        return {"conditioning": rows, "profile": profile}

    def _profile(self, proposal: Proposal) -> dict[str, Any]:
        negative, positive = proposal.negative, self.batch.positive
        with torch.no_grad():
            low, high = self.energy.energy(positive)[0], self.energy.energy(negative)[0]
        row: dict[str, Any] = gap_statistics(low.cpu(), high.cpu())
        contrast = self.engine.config.contrast
        if contrast is not None and contrast.loss == "nce":  # E+ - E- itself has the same slope everywhere
            row["saturation_share"] = saturation_share(contrast_logit(contrast, low, high, self.sigma).cpu())
        row |= likelihood_statistics(self.root * self.batch.solution[0], positive[0], negative[0], self.sigma)
        row |= path_statistics(proposal.descent)
        row |= diversity_statistics(negative[0])
        return row | gradient_conflict(*self._parameter_gradients(proposal))

    def _parameter_gradients(self, proposal: Proposal) -> tuple[Tensor, Tensor]:
        """Gradients by the weights of the denoising loss and of the weighted energy term, (P,) each."""
        config = self.engine.config
        assert config.contrast is not None
        denoise = denoising_loss(self.energy, self.batch.positive, self.batch.noise).sum()
        term = contrast_loss(
            config.contrast,
            self.energy,
            self.batch,
            proposal,
            self.engine.descender.schedule,
            self.engine.task.residual,
        ).sum()
        weighted = config.contrast.weight_at(self.step) * term
        first = torch.autograd.grad(denoise, self.flat, retain_graph=True)[0]
        second = torch.autograd.grad(weighted, self.flat, retain_graph=True, allow_unused=True)[0]
        return first[0], torch.zeros_like(first[0]) if second is None else second[0]


def errors(run_dir: Path, data: Path, engine: Engine, matrices: int) -> dict[str, pd.DataFrame]:
    """error_directions.csv and error_sizes.csv of a run: the reported weights' answers on both test sets."""
    config = engine.config
    fit = read_split(data / "fit.npz", engine.task, config.held_out)
    line = next(p for p in engine.task.predictors(fit) if p.name == engine.task.line)
    affine = next(apply for name, _, apply in ladder(eigenvalues(fit)) if name == "affine")
    weights = {
        name: value[None].to(engine.device)
        for name, value in read_tensors(run_dir / "model.safetensors").items()
    }
    directions, sizes = [], []
    for split in ("id", "ood"):
        chosen = read_split(data / f"test_{split}.npz", engine.task, config.held_out).first(matrices)
        chunks = engine.solver.answers(weights, chosen)
        answer = torch.cat([chunk[0].cpu() for _, _, chunk in chunks])
        directions.append(error_direction_rows(split, chosen, answer, affine))
        sizes.append(error_size_rows(split, chosen, answer, line))
    return {"error_directions.csv": pd.concat(directions), "error_sizes.csv": pd.concat(sizes)}
