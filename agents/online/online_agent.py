"""What the online learners share: learning on live users, from nothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Self

from gymnasium.vector import VectorEnv

from agents.learner import Learner
from agents.learning.training import Progress, find_device
from agents.online.live import catalog_of, single_item_spec, spec_of
from agents.online.live_training import LiveRun, LiveTraining

if TYPE_CHECKING:
    from recsim_env.catalog import PublicCatalog


class OnlineAgent(Learner):
    """A learner that serves users while it learns. Subclasses write `learn_from`.

    Attributes:
        single_item: whether it has one value per item, and so learns only where every item is an action.
        has_network: whether it learns with PyTorch, and so on a device.
    """

    single_item: ClassVar[bool] = False
    has_network: ClassVar[bool] = True

    @abstractmethod
    def learn_from(
        self,
        env: VectorEnv[Any, Any, Any],
        catalog: PublicCatalog,
        num_decisions: int,
        seed: int,
        run: LiveRun,
    ) -> None:
        """Do what `learn` promises; spec, topics and fingerprint are those of the environment already.

        Go on from what `run.resume` hands over, do nothing if `run.stopped`, call `run.after` behind every
        batch and stop when it says so.
        """

    def learn(
        self,
        env: VectorEnv[Any, Any, Any],
        num_decisions: int,
        *,
        seed: int,
        progress: Progress | None = None,
        training: LiveTraining | None = None,
    ) -> Self:
        """Learn from nothing on a live environment, exploring.

        Args:
            env: native vector environment in AutoresetMode.DISABLED; keeps its own stream seed and users.
            num_decisions: environment steps times batch size, at least 1; rounded up to whole batches (DQN:
                to whole updates where they are rarer).
            seed: of every draw of the learner: initial values, exploration, replay; the environment is not
                reseeded.
            progress: called as progress(step, total, metrics).
            training: held-out users, early stopping, checkpoints, device; by default none, on the CPU. A
                training that was cut and is started again with the same arguments ends, on the CPU, with the
                same bits as one that was not.

        Returns:
            The agent itself.

        Raises:
            ValueError: the environment resets by itself, or has wrappers though users are held out or a
                checkpoint is kept; it is a world that the agent cannot learn in: where it is for single
                items, slates and two-stage worlds; the device does not exist, or the checkpoint belongs to
                another training.
        """
        training = LiveTraining() if training is None else training
        if num_decisions < 1:
            raise ValueError(f"num_decisions: expected at least 1, got {num_decisions}")
        if env is not env.unwrapped and (training.held_out_users or training.checkpoint):
            raise ValueError(
                "env: expected the native environment itself where users are held out or a checkpoint is "
                f"kept, which know nothing of wrappers; got {type(env).__name__}"
            )
        device = find_device(training.device)
        if not self.has_network and device.type != "cpu":
            raise ValueError(f"device: {type(self).__name__} computes on the CPU, got {training.device!r}")
        catalog = catalog_of(env)
        spec = single_item_spec(env, type(self).__name__) if self.single_item else spec_of(env)
        self.belong_to(spec, catalog)
        run = LiveRun(self, env, num_decisions, seed, training, progress)
        self.learn_from(env, catalog, num_decisions, seed, run)
        if training.patience:
            run.back_to_best()
        return self
