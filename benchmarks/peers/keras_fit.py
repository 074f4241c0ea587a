"""Keras's recipe: `ExponentialDecay(0.1, 1000, 0.96, staircase=True)` and `model.fit`."""

import keras
import mnist_files

settings = mnist_files.arguments()
train_images, train_labels = mnist_files.images(settings.data_dir, "train")
test_images, test_labels = mnist_files.images(settings.data_dir, "t10k")
examples = settings.steps * mnist_files.BATCH_SIZE


def run() -> float:
    keras.utils.set_random_seed(0)
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1_000, 0.96, staircase=True)
    model = keras.Sequential(
        [keras.layers.Input((784,)), keras.layers.Dense(128, "relu"), keras.layers.Dense(10)]
    )
    model.compile(
        keras.optimizers.SGD(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(train_images[:examples], train_labels[:examples], batch_size=32, verbose=0)
    return float(model.evaluate(test_images, test_labels, batch_size=1_000, verbose=0)[1])


mnist_files.report(
    run,
    settings.steps,
    settings.runs,
    {"keras": keras.__version__, "backend": keras.backend.backend()},
)
