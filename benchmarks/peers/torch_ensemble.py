"""PyTorch's tutorial on ensembles: `torch.func.vmap` of the gradient over stacked networks."""

import mnist_files
import numpy as np
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

settings = mnist_files.arguments()
train_images, train_labels = map(torch.from_numpy, mnist_files.images(settings.data_dir, "train"))
test_images, test_labels = map(torch.from_numpy, mnist_files.images(settings.data_dir, "t10k"))


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(784, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))


base = network().to("meta")


def loss(parameters, images, labels):
    logits = functional_call(base, parameters, (images,))
    return torch.nn.functional.cross_entropy(logits, labels)


gradients = vmap(grad(loss), in_dims=(0, None, None))


def run() -> float:
    torch.manual_seed(0)
    parameters, _ = stack_module_state([network() for _ in range(settings.members)])
    parameters = {name: each.detach() for name, each in parameters.items()}
    rates = torch.logspace(-2, -0.5, settings.members)
    order = torch.from_numpy(np.random.default_rng(0).permutation(len(train_images)))
    with torch.no_grad():
        for batch in order[: settings.steps * mnist_files.BATCH_SIZE].reshape(settings.steps, -1):
            changes = gradients(parameters, train_images[batch], train_labels[batch])
            for name, each in parameters.items():
                each -= rates.view(-1, *[1] * (each.ndim - 1)) * changes[name]
        first = {name: each[-1] for name, each in parameters.items()}
        predicted = functional_call(base, first, (test_images,)).argmax(1)
        return float((predicted == test_labels).float().mean())


mnist_files.report(
    run, settings.members * settings.steps, settings.runs, {"torch": torch.__version__}
)
