//! A table as a Parquet file: each column has a name, a type, and knows its value of a row.

use std::{
    io::{self, Write},
    sync::Arc,
};

use parquet::{
    basic::Compression,
    data_type::{
        BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
        Int64Type,
    },
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::parser::parse_message_type,
};
use streamforge_events::{Decimal, Millis};

use crate::cli::exit::{Failure, Outcome};

/// Rows that are written together; their columns are held in memory.
pub(super) const ROWS_PER_GROUP: usize = 1 << 17;

/// Digits behind the point of each decimal column: those of the exchange, so that files of several symbols fit together.
///
/// # Source
/// <https://developers.binance.com/docs/binance-spot-api-docs/rest-api/general-endpoints#exchange-information>
const SCALE: u32 = 8;

/// Digits of a decimal column: what 128 bits hold, and more than any [`Decimal`] has at that scale.
const PRECISION: usize = 38;

/// One column of rows.
pub(super) struct Column<'a, R> {
    name: String,
    values: Values<'a, R>,
}

/// The type of a column and how a row answers it.
pub(super) enum Values<'a, R> {
    Instant(Get<'a, R, Millis>),
    Integer(Get<'a, R, i64>),
    Count(Get<'a, R, u64>),
    Decimal(Get<'a, R, Decimal>),
    Float(Get<'a, R, f32>),
    Double(Get<'a, R, f64>),
    Text(Get<'a, R, String>),
    Flag(Get<'a, R, bool>),
}

/// The value of a row, in a column that every row has or that may be null.
pub(super) enum Get<'a, R, T> {
    Always(Answer<'a, R, T>),
    Maybe(Answer<'a, R, Option<T>>),
}

/// What a row is asked.
type Answer<'a, R, T> = Box<dyn Fn(&R) -> T + 'a>;

/// A file under way.
pub(super) struct Table<'a, R, W: Write + Send> {
    columns: Vec<Column<'a, R>>,
    writer: SerializedFileWriter<W>,
}

/// A value that each row has.
pub(super) fn always<'a, R, T>(get: impl Fn(&R) -> T + 'a) -> Get<'a, R, T> {
    Get::Always(Box::new(get))
}

/// A value that is null where a row has none.
pub(super) fn maybe<'a, R, T>(get: impl Fn(&R) -> Option<T> + 'a) -> Get<'a, R, T> {
    Get::Maybe(Box::new(get))
}

/// A column of this name.
pub(super) fn column<R>(name: impl Into<String>, values: Values<'_, R>) -> Column<'_, R> {
    Column { name: name.into(), values }
}

impl<'a, R, W: Write + Send> Table<'a, R, W> {
    pub(super) fn begin(columns: Vec<Column<'a, R>>, sink: W) -> Result<Self, Failure> {
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let fields: Vec<String> = columns.iter().map(Column::field).collect();
        let schema = parse_message_type(&format!("message rows {{ {} }}", fields.join(" ")))?;
        let writer = SerializedFileWriter::new(sink, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { columns, writer })
    }

    pub(super) fn write(&mut self, rows: &[R]) -> Outcome {
        for rows in rows.chunks(ROWS_PER_GROUP) {
            let mut group = self.writer.next_row_group()?;
            self.columns.iter().try_for_each(|column| column.write(rows, &mut group))?;
            group.close()?;
        }
        Ok(())
    }

    /// Writes the end of the file, without which nobody can read it.
    pub(super) fn end(self) -> Outcome {
        self.writer.close()?;
        Ok(())
    }
}

impl<R> Column<'_, R> {
    /// The column as the text form of a Parquet schema has it.
    fn field(&self) -> String {
        let decimal = format!("(DECIMAL({PRECISION},{SCALE}))");
        let (is_required, before, after) = match &self.values {
            Values::Instant(get) => (get.is_always(), "INT64", "(TIMESTAMP(MILLIS,true))"),
            Values::Integer(get) => (get.is_always(), "INT64", ""),
            Values::Count(get) => (get.is_always(), "INT64", ""),
            Values::Decimal(get) => (get.is_always(), "FIXED_LEN_BYTE_ARRAY (16)", decimal.as_str()),
            Values::Float(get) => (get.is_always(), "FLOAT", ""),
            Values::Double(get) => (get.is_always(), "DOUBLE", ""),
            Values::Text(get) => (get.is_always(), "BYTE_ARRAY", "(STRING)"),
            Values::Flag(get) => (get.is_always(), "BOOLEAN", ""),
        };
        let repetition = if is_required { "REQUIRED" } else { "OPTIONAL" };
        format!("{repetition} {before} {} {after};", self.name)
    }

    fn write<W: Write + Send>(&self, rows: &[R], group: &mut SerializedRowGroupWriter<'_, W>) -> Outcome {
        match &self.values {
            Values::Instant(get) | Values::Integer(get) => put::<_, _, _, Int64Type>(group, rows, get, Ok),
            Values::Count(get) => put::<_, _, _, Int64Type>(group, rows, get, |count| {
                i64::try_from(count).map_err(|_| format!("{} {count} is more than Parquet holds", self.name))
            }),
            Values::Decimal(get) => put::<_, _, _, FixedLenByteArrayType>(group, rows, get, |value| {
                let bytes = unscaled(value).map(|unscaled| unscaled.to_be_bytes().to_vec());
                bytes.map(FixedLenByteArray::from).ok_or_else(|| {
                    format!(
                        "{} {value} has more than {SCALE} places, which Parquet cannot hold here: export CSV",
                        self.name
                    )
                })
            }),
            Values::Float(get) => put::<_, _, _, FloatType>(group, rows, get, Ok),
            Values::Double(get) => put::<_, _, _, DoubleType>(group, rows, get, Ok),
            Values::Text(get) => {
                put::<_, _, _, ByteArrayType>(group, rows, get, |text| Ok(ByteArray::from(text.into_bytes())))
            }
            Values::Flag(get) => put::<_, _, _, BoolType>(group, rows, get, Ok),
        }
    }
}

impl<R, T> Get<'_, R, T> {
    fn is_always(&self) -> bool {
        matches!(self, Self::Always(_))
    }
}

/// Writes the next column of a group; its levels say which rows have a value.
fn put<W: Write + Send, R, T, P: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    rows: &[R],
    get: &Get<'_, R, T>,
    convert: impl Fn(T) -> Result<P::T, String>,
) -> Outcome {
    let (values, levels): (Result<Vec<P::T>, String>, _) = match get {
        Get::Always(get) => (rows.iter().map(|row| convert(get(row))).collect(), None),
        Get::Maybe(get) => {
            let cells: Vec<Option<T>> = rows.iter().map(get).collect();
            let levels: Vec<i16> = cells.iter().map(|cell| i16::from(cell.is_some())).collect();
            (cells.into_iter().flatten().map(convert).collect(), Some(levels))
        }
    };
    let values = values.map_err(Failure::Failed)?;
    let missing = || ParquetError::General("the schema has fewer columns than the table".to_owned());
    let mut column = group.next_column().and_then(|column| column.ok_or_else(missing))?;
    column.typed::<P>().write_batch(&values, levels.as_deref(), None)?;
    Ok(column.close()?)
}

/// The digits of a number at the scale of the columns; none if it has more places.
fn unscaled(value: Decimal) -> Option<i128> {
    let mantissa = i128::try_from(value.mantissa()).ok()?;
    if let Some(more) = SCALE.checked_sub(value.scale()) {
        return mantissa.checked_mul(10_i128.pow(more));
    }
    let unit = 10_i128.checked_pow(value.scale() - SCALE)?;
    (mantissa % unit == 0).then_some(mantissa / unit)
}

impl From<ParquetError> for Failure {
    fn from(error: ParquetError) -> Self {
        match error {
            // The writer's own failure, of which a closed pipe is none.
            ParquetError::External(cause) => cause
                .downcast::<io::Error>()
                .map_or_else(|cause| Self::failed(cause.as_ref()), |cause| Self::from(*cause)),
            error => Self::failed(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use ::parquet::{
        file::reader::{FileReader as _, SerializedFileReader},
        record::Field,
    };
    use bytes::Bytes;

    use super::*;

    /// A number and an optional one.
    type Row = (&'static str, Option<u64>);

    fn file(rows: &[Row]) -> Result<Bytes, Failure> {
        let columns = vec![
            column("price", Values::Decimal(always(|row: &Row| row.0.parse().unwrap()))),
            column("trades", Values::Count(maybe(|row: &Row| row.1))),
        ];
        let mut bytes = Vec::new();
        let mut table = Table::begin(columns, &mut bytes)?;
        table.write(rows)?;
        table.end()?;
        Ok(bytes.into())
    }

    fn read(file: Bytes) -> Vec<Vec<Field>> {
        let reader = SerializedFileReader::new(file).unwrap();
        let rows = reader.get_row_iter(None).unwrap().map(Result::unwrap);
        rows.map(|row| row.get_column_iter().map(|(_, field)| field.clone()).collect()).collect()
    }

    fn digits(field: &Field) -> i128 {
        let Field::Decimal(decimal) = field else { panic!("{field:?} is no decimal") };
        assert_eq!((decimal.precision(), decimal.scale()), (38, 8));
        i128::from_be_bytes(decimal.data().try_into().unwrap())
    }

    #[test]
    fn decimals_keep_every_digit() {
        for (text, expected) in [
            ("0", 0),
            ("0.00000001", 1),
            ("61586.37000000", 6_158_637_000_000),
            ("610009597781.00", 61_000_959_778_100_000_000),
            ("1.5000000000", 150_000_000),
            ("9999999999999999999999999999", 999_999_999_999_999_999_999_999_999_900_000_000),
            ("99999999999999999999.99999999", 9_999_999_999_999_999_999_999_999_999),
        ] {
            let rows = read(file(&[(text, None)]).unwrap());
            assert_eq!((digits(&rows[0][0]), &rows[0][1]), (expected, &Field::Null), "{text}");
        }
    }

    #[test]
    fn what_would_not_be_exact_is_refused() {
        let Err(Failure::Failed(reason)) = file(&[("1", Some(1)), ("0.000000001", None)]) else { panic!() };
        assert_eq!(reason, "price 0.000000001 has more than 8 places, which Parquet cannot hold here: export CSV");
        let Err(Failure::Failed(reason)) = file(&[("1", Some(u64::MAX))]) else { panic!() };
        assert_eq!(reason, "trades 18446744073709551615 is more than Parquet holds");
    }

    #[test]
    fn rows_come_back_in_their_order_from_several_groups() {
        let count = u64::try_from(ROWS_PER_GROUP).unwrap() + 3;
        let expected: Vec<Row> = (0..count).map(|row| ("2.5", (row % 3 > 0).then_some(row))).collect();
        let bytes = file(&expected).unwrap();
        assert_eq!(SerializedFileReader::new(bytes.clone()).unwrap().num_row_groups(), 2);
        let found = read(bytes);
        assert_eq!(found.len(), expected.len());
        for (found, (_, trades)) in found.iter().zip(expected) {
            let trades = trades.map_or(Field::Null, |trades| Field::Long(i64::try_from(trades).unwrap()));
            assert_eq!((digits(&found[0]), &found[1]), (250_000_000, &trades));
        }
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        /// Takes no byte.
        struct Deaf(io::ErrorKind);
        impl Write for Deaf {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Err(self.0.into())
            }
        }
        let write = |kind| {
            let columns = vec![column("trades", Values::Count(maybe(|row: &Row| row.1)))];
            let mut table = Table::begin(columns, Deaf(kind))?;
            table.write(&vec![("1", Some(1)); 100_000])?;
            table.end()
        };
        assert_eq!(write(io::ErrorKind::BrokenPipe), Err(Failure::ClosedPipe));
        assert_eq!(write(io::ErrorKind::StorageFull), Err(Failure::Failed("no storage space".to_owned())));
    }

    #[test]
    fn a_table_without_rows_is_a_file_with_columns() {
        let reader = SerializedFileReader::new(file(&[]).unwrap()).unwrap();
        let schema = reader.metadata().file_metadata().schema_descr();
        assert_eq!((schema.num_columns(), reader.get_row_iter(None).unwrap().count()), (2, 0));
    }
}
