//! How the headers of a record are kept in one column.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

/// Headers as a blob: name and value in turn, each as a 32-bit little-endian length and its bytes.
pub(super) struct Headers(pub(super) Vec<(String, Vec<u8>)>);

impl ToSql for Headers {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let mut blob = Vec::new();
        for (name, value) in &self.0 {
            for field in [name.as_bytes(), value] {
                let length = u32::try_from(field.len())
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                blob.extend_from_slice(&length.to_le_bytes());
                blob.extend_from_slice(field);
            }
        }
        Ok(blob.into())
    }
}

impl FromSql for Headers {
    fn column_result(column: ValueRef<'_>) -> FromSqlResult<Self> {
        let mut blob = column.as_blob()?;
        let mut headers = Vec::new();
        while !blob.is_empty() {
            let name = take_field(&mut blob)?;
            let value = take_field(&mut blob)?;
            let name = String::from_utf8(name).map_err(FromSqlError::other)?;
            headers.push((name, value));
        }
        Ok(Self(headers))
    }
}

fn take_field(blob: &mut &[u8]) -> FromSqlResult<Vec<u8>> {
    let (length, rest) = blob.split_first_chunk().ok_or(FromSqlError::InvalidType)?;
    let length = usize::try_from(u32::from_le_bytes(*length)).map_err(FromSqlError::other)?;
    let (field, rest) = rest.split_at_checked(length).ok_or(FromSqlError::InvalidType)?;
    *blob = rest;
    Ok(field.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_blob_is_refused() {
        for blob in [&[1u8][..], &[1, 0, 0, 0], &[1, 0, 0, 0, b'a'], &[255, 255, 255, 255, 0]] {
            assert!(Headers::column_result(ValueRef::Blob(blob)).is_err(), "{blob:?}");
        }
    }

    #[test]
    fn empty_blob_means_no_headers() {
        let headers = Headers::column_result(ValueRef::Blob(&[])).unwrap();
        assert!(headers.0.is_empty());
    }
}
