"""The `problem` section of forecasts: columns of a CSV file, windows, and how values are transformed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Strict, ValidationInfo, field_validator

from job.metrics import Family
from job.spec.base_section import FileName, FileProblemSection, Licence

Scaling = Literal["none", "standard", "minmax"]


class TimeSeriesSpec(FileProblemSection):
    """Forecasts from a CSV file in time order: `source_length` rows -> the next `target_length` values.

    The last `test` rows are the test data, the `validation` rows before them the validation data, and all
    earlier rows the training data. `model.inputs` and `evaluation.decoder` have no effect, because values
    are numbers and not tokens.
    """

    kind: Literal["time_series"]
    file: FileName = Field(
        description="A CSV file whose first line names the columns. Path relative to the spec, or "
        "`package:NAME/PATH` for a file of an installed package."
    )
    column: str = Field(min_length=1, description="Name of the column to forecast.")
    covariates: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Strict(False)] = Field(
        default=(), description="Names of further columns that the encoder reads."
    )
    unit: str = Field(default="", max_length=40, description="Unit of `column`, for reports.")
    source_length: int = Field(ge=1, le=1000, description="Number of rows that a forecast is made from.")
    target_length: int = Field(ge=1, le=1000, description="Number of consecutive values to forecast.")
    logarithm: bool = Field(
        default=False,
        description="Forecast the logarithm of `column`: for positive values whose changes grow with them.",
    )
    differencing: int = Field(
        default=0,
        ge=0,
        le=1,
        description="1 to forecast the changes of `column` (or of its logarithm) from row to row; "
        "`source_length` rows have source_length - 1 changes.",
    )
    scaling: Scaling = Field(
        default="standard",
        description="Scale of the values that the model reads, computed from the training rows alone: "
        "`standard` subtracts the mean and divides by the standard deviation, `minmax` maps to -1..1, `none` "
        "leaves values unchanged.",
    )
    test: int = Field(ge=1, le=1_000_000, description="Number of rows at the end that are the test data.")
    validation: int = Field(
        default=0, ge=0, le=1_000_000, description="Number of rows before those for validation."
    )
    licence: Licence = ""

    @property
    def families(self) -> tuple[Family, ...]:
        """The families of metrics of regression."""
        return ("numbers", "timing")

    @property
    def data_files(self) -> tuple[str, ...]:
        """The CSV file."""
        return (self.file,)

    @property
    def validates(self) -> bool:
        """Whether there are validation rows."""
        return self.validation > 0

    @field_validator("covariates")
    @classmethod
    def _each_column_once(cls, covariates: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        columns = [info.data.get("column"), *covariates]
        twice = sorted({name for name in covariates if columns.count(name) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} would be read twice; name each column once")
        return covariates

    @field_validator("differencing")
    @classmethod
    def _leaves_a_source(cls, differencing: int, info: ValidationInfo) -> int:
        if differencing >= info.data.get("source_length", differencing + 1):
            raise ValueError("one row has no change to read; set source_length to 2 or more")
        return differencing
