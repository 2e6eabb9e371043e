//! A dataset as a Parquet file: a row for each bar of the grid and each symbol, absent values as nulls.

use std::{io::Write, sync::Arc};

use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use streamforge_dataset::{Dataset, Direction};

/// Rows that are written together; their columns are held in memory.
const ROWS_PER_GROUP: usize = 1 << 17;

/// Writes the dataset and the end of the file.
pub(super) fn write<W: Write + Send>(dataset: &Dataset, sink: W) -> Result<(), ParquetError> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let schema = parse_message_type(&schema(dataset))?;
    let mut writer = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties))?;
    let cells: Vec<usize> = (0..dataset.features.present.len()).collect();
    for cells in cells.chunks(ROWS_PER_GROUP) {
        let mut group = writer.next_row_group()?;
        write_group(dataset, cells, &mut group)?;
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

fn schema(dataset: &Dataset) -> String {
    let features = dataset.features.features.iter().map(|feature| format!("OPTIONAL FLOAT {feature};"));
    format!(
        "message dataset {{ REQUIRED INT64 open_time (TIMESTAMP(MILLIS,true)); REQUIRED BYTE_ARRAY symbol (STRING); {} \
         REQUIRED BOOLEAN present; OPTIONAL FLOAT volatility; OPTIONAL BYTE_ARRAY direction (STRING); \
         REQUIRED BOOLEAN known; }}",
        features.collect::<Vec<_>>().join(" ")
    )
}

fn write_group<W: Write + Send>(
    dataset: &Dataset,
    cells: &[usize],
    group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<(), ParquetError> {
    let Dataset { features, targets } = dataset;
    let symbols = features.symbols.len();
    let times: Vec<i64> = cells.iter().map(|cell| features.times[cell / symbols]).collect();
    required::<W, Int64Type>(group, &times)?;
    let names: Vec<ByteArray> =
        cells.iter().map(|cell| ByteArray::from(features.symbols[cell % symbols].as_str())).collect();
    required::<W, ByteArrayType>(group, &names)?;
    for feature in 0..features.features.len() {
        optional::<W, FloatType>(group, cells, &features.present, |cell| features.row(cell)[feature])?;
    }
    let flags = |present: &[bool]| cells.iter().map(|cell| present[*cell]).collect::<Vec<_>>();
    required::<W, BoolType>(group, &flags(&features.present))?;
    optional::<W, FloatType>(group, cells, &targets.present, |cell| targets.volatility[cell])?;
    optional::<W, ByteArrayType>(group, cells, &targets.present, |cell| {
        ByteArray::from(match targets.direction[cell] {
            Direction::Down => "down",
            Direction::Sideways => "sideways",
            Direction::Up => "up",
        })
    })?;
    required::<W, BoolType>(group, &flags(&targets.present))
}

/// Writes the next column, which has a value in every row.
fn required<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    column::<W, T>(group, values, None)
}

/// Writes the next column, which has a value where the mask says so.
fn optional<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    cells: &[usize],
    mask: &[bool],
    value: impl Fn(usize) -> T::T,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = cells.iter().map(|cell| i16::from(mask[*cell])).collect();
    let values: Vec<T::T> = cells.iter().filter(|cell| mask[**cell]).map(|cell| value(*cell)).collect();
    column::<W, T>(group, &values, Some(&levels))
}

fn column<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the dataset".to_owned());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}
