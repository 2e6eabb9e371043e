//! A tree from its root: its rows in the order of their keys, and where some cannot be read.

use std::{collections::BTreeSet, io};

use crate::{
    Pages, Row,
    rows::{INDEX_INTERIOR, TABLE_INTERIOR, cells, is_sound, next_page, rightmost},
};

/// What comes next in a tree.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A row.
    Row(Row),
    /// Rows may be missing between the row before and the one after.
    Hole,
}

impl Pages {
    /// Visits what the tree below a page holds, in its order.
    ///
    /// # Errors
    /// Why the file cannot be read, or what the visitor says.
    pub fn walk<E: From<io::Error>>(&self, root: u32, visit: &mut impl FnMut(Item) -> Result<(), E>) -> Result<(), E> {
        self.descend(root, &mut BTreeSet::new(), visit)
    }

    fn descend<E: From<io::Error>>(
        &self,
        number: u32,
        visited: &mut BTreeSet<u32>,
        visit: &mut impl FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        // Damage may lead back to a page.
        if number == 0 || number > self.count() || !visited.insert(number) {
            return visit(Item::Hole);
        }
        let page = self.read(number)?;
        let is_sound = is_sound(&page, number);
        if !is_sound {
            visit(Item::Hole)?;
        }
        let (kind, cells) = cells(&page, number);
        let is_inner = [INDEX_INTERIOR, TABLE_INTERIOR].contains(&kind);
        for cell in cells {
            if is_inner {
                self.descend(next_page(cell), visited, visit)?;
            }
            if kind != TABLE_INTERIOR {
                visit(self.row(kind, cell)?.map_or(Item::Hole, Item::Row))?;
            }
            if !is_sound {
                visit(Item::Hole)?;
            }
        }
        if is_inner { self.descend(rightmost(&page, number), visited, visit) } else { Ok(()) }
    }
}
