"""MLflow as a tracker: a server, or a database in a file."""

import logging
import os
import time

from tfgans.config import configurable
from tfgans.run.trackers import Tracker
from tfgans.run.trackers.library import library

_ENDS = {"finished": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}
_LONGEST_VALUE = 6000  # of a parameter


@configurable
class MLflowTracker(Tracker):
    """A run of MLflow; needs `pip install 'tfgans[mlflow]'`.

    Args:
        uri: of the tracking server, such as "http://localhost:5000", or of a database, such as
            "sqlite:///mlflow.db"; None: what `MLFLOW_TRACKING_URI` says, else mlflow.db in the current folder.
        experiment: its experiment, made if it is not there.
        name: of the run; None: that of its folder.
    Raises: ConfigError if mlflow is not installed.
    """

    def __init__(self, uri: str | None = None, experiment: str = "tfgans", name: str | None = None):
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        self._mlflow = library("mlflow", "MLflowTracker")
        self._uri, self._experiment, self._name = uri, experiment, name
        self._client, self._id = None, None

    def start(self, folder, known, configuration):
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._client = self._mlflow.MlflowClient(tracking_uri=self._uri)
        if known is None:
            name = self._name or folder.resolve().name
            self._id = self._client.create_run(self._in(), run_name=name).info.run_id
            parameters = [
                self._mlflow.entities.Param(name, value[:_LONGEST_VALUE])
                for name, value in configuration.items()
            ]
            for first in range(0, len(parameters), 100):  # the most of one request
                self._client.log_batch(self._id, params=parameters[first : first + 100])
        else:
            self._id = known
            self._client.update_run(known, status="RUNNING")
        self._client.log_artifact(self._id, str(folder / "operative.gin"))
        return self._id

    def _in(self):
        found = self._client.get_experiment_by_name(self._experiment)
        return found.experiment_id if found else self._client.create_experiment(self._experiment)

    def numbers(self, step, values):
        now = int(1000 * time.time())
        metrics = [self._mlflow.entities.Metric(name, float(v), now, step) for name, v in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def picture(self, step, name, path):
        self._client.log_artifact(self._id, str(path), name)

    def finish(self, outcome):
        self._client.set_terminated(self._id, _ENDS[outcome])
