//! How the headers of a record are kept as bytes: name and value in turn, each as a 32-bit little-endian length
//! and its bytes.

/// Appends headers to bytes; `None` if a field is longer than its length can say, which no record within the limit is.
pub(super) fn encode(bytes: &mut Vec<u8>, headers: &[(String, Vec<u8>)]) -> Option<()> {
    for (name, value) in headers {
        for field in [name.as_bytes(), value] {
            bytes.extend_from_slice(&u32::try_from(field.len()).ok()?.to_le_bytes());
            bytes.extend_from_slice(field);
        }
    }
    Some(())
}

/// Reads headers back; `None` if the blob is damaged.
pub(super) fn decode(mut blob: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let mut headers = Vec::new();
    while !blob.is_empty() {
        let name = take_field(&mut blob)?;
        let value = take_field(&mut blob)?;
        headers.push((String::from_utf8(name).ok()?, value));
    }
    Some(headers)
}

fn take_field(blob: &mut &[u8]) -> Option<Vec<u8>> {
    let (length, rest) = blob.split_first_chunk()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let (field, rest) = rest.split_at_checked(length)?;
    *blob = rest;
    Some(field.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truncated_blob_is_refused() {
        for blob in [&[1u8][..], &[1, 0, 0, 0], &[1, 0, 0, 0, b'a'], &[255, 255, 255, 255, 0]] {
            assert_eq!(decode(blob), None, "{blob:?}");
        }
    }

    #[test]
    fn empty_blob_means_no_headers() {
        assert_eq!(decode(&[]), Some(Vec::new()));
        let mut bytes = Vec::new();
        assert_eq!(encode(&mut bytes, &[]), Some(()));
        assert!(bytes.is_empty());
    }
}
