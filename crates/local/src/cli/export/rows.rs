//! Rows of one kind on their way out: as CSV, as lines of JSON, or as Parquet.

use std::io::{self, Write};

use super::{
    Format, PAGE,
    parquet::{Column, ROWS_PER_GROUP, Table},
};
use crate::cli::exit::{Failure, Outcome};

/// What a row is in each form.
pub(super) trait Row: Sized {
    /// Names of the fields in CSV.
    const HEADER: &'static str;

    fn csv(&self, writer: &mut impl Write) -> io::Result<()>;

    fn ndjson(&self, writer: &mut impl Write) -> io::Result<()>;

    /// The columns in Parquet.
    fn columns() -> Vec<Column<'static, Self>>;
}

/// Where rows are written to.
pub(super) enum Rows<R, W: Write + Send> {
    Csv(W),
    Ndjson(W),
    Parquet(Box<Table<'static, R, W>>),
}

impl<R: Row, W: Write + Send> Rows<R, W> {
    /// Begins the output, and CSV with a line of names if it shall have one.
    pub(super) fn begin(mut writer: W, format: Format, has_header: bool) -> Result<Self, Failure> {
        Ok(match format {
            Format::Csv => {
                if has_header {
                    writeln!(writer, "{}", R::HEADER)?;
                }
                Self::Csv(writer)
            }
            Format::Ndjson => Self::Ndjson(writer),
            Format::Parquet => Self::Parquet(Box::new(Table::begin(R::columns(), writer)?)),
        })
    }

    /// How many rows are best written at once.
    pub(super) fn page(&self) -> usize {
        match self {
            Self::Csv(_) | Self::Ndjson(_) => PAGE,
            Self::Parquet(_) => ROWS_PER_GROUP,
        }
    }

    pub(super) fn write(&mut self, mut rows: impl Iterator<Item = R>) -> Outcome {
        match self {
            Self::Csv(writer) => Ok(rows.try_for_each(|row| row.csv(writer))?),
            Self::Ndjson(writer) => Ok(rows.try_for_each(|row| row.ndjson(writer))?),
            Self::Parquet(table) => table.write(&rows.collect::<Vec<_>>()),
        }
    }

    pub(super) fn end(self) -> Outcome {
        match self {
            Self::Csv(_) | Self::Ndjson(_) => Ok(()),
            Self::Parquet(table) => table.end(),
        }
    }
}
