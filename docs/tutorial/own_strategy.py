"""From a trained energy to a figure of a strategy of one's own, in a minute on a laptop.

    python docs/tutorial/own_strategy.py OUT.png

Run it from the project's folder. The strategy is the example of docs/adding_a_strategy.md, put beside this script.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import ired
from ired.job.build import build_engine
from ired.study.plugins import load_plugins, plugged_parts
from ired.study.run_config import RunConfig
from ired.tasks.held_out import draw_split

HERE = Path(__file__).parent
STEPS, EVERY, SEEDS = 60, 10, (0, 1, 2)

# 1. A finished run answers: numpy in, numpy out.
run = ired.load("results/shipped/laptop/runs/none/seed0")
matrix = 2 * np.eye(run.config.problem.n)
answer = run.solve(matrix)
print(f"solved {matrix.shape}: residual {run.residual(matrix, answer):.3f}")

# 2. A strategy of one's own: a module that is found, checked and entered under its name.
sys.path.insert(0, str(HERE))
load_plugins(["mirrored"])

# 3. The same small configuration without negatives, with random ones, and with one's own.
COMMON = {
    "protocol": 1,
    "seed": 0,
    "problem": {"task": "inversion", "n": 4},
    "held_out": {"validation_matrices": 200},
    "network": {"kind": "equivariant"},
    "optimiser": {"learning_rate": 6e-3, "gradient_clip": 0.1, "ema": {"decay": 0.9, "every": 1}},
    "training": {"steps": STEPS, "batch_size": 32},
}
ARMS = {
    "none": {"negatives": {"strategy": "none"}, "contrast": None},
    "random": {"negatives": {"strategy": "random"}, "contrast": {"weight": 0.5}},
    "mirrored": {"negatives": {"strategy": "mirrored", "scale": 0.5}, "contrast": {"weight": 0.5}},
}
curves = {}
for name, arm in ARMS.items():
    settings = COMMON | arm
    config = RunConfig.model_validate(settings | {"plugins": plugged_parts(settings)})
    engine = build_engine(config, SEEDS)  # all seeds train as one batched model
    validation = draw_split("validation", engine.task, config.held_out)
    curves[name] = []
    for step in range(1, STEPS + 1):
        engine.advance()
        if step % EVERY == 0:
            found = engine.solver.evaluate(engine.weights(engine.average), validation)
            curves[name].append(found.mse().tolist())
    print(f"{name}: validation MSE {np.mean(curves[name][-1]):.3g} (mean of {len(SEEDS)} seeds)")

# 4. A figure: a thin line a seed. Three seeds and sixty steps show how it is done, and decide nothing.
figure, axes = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
for colour, (name, values) in zip(("#0072B2", "#E69F00", "#009E73"), curves.items(), strict=True):
    lines = axes.semilogy(range(EVERY, STEPS + 1, EVERY), values, color=colour, linewidth=0.8)
    lines[0].set_label(name)
axes.set(xlabel="step", ylabel="validation MSE")
axes.legend(frameon=False, fontsize=8)
figure.savefig(sys.argv[1], dpi=200)
