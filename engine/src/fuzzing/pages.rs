//! Targets for the primary's bytes: header slots and every kind of page.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::bytes::{Input, some_place};
use super::reseal::reseal_slot;
use crate::format::bytes::{Reader, put};
use crate::format::catalog::Catalog;
use crate::format::child::ChildPointer;
use crate::format::free_list::FreeListPage;
use crate::format::header::{HEADER_BYTES, Header, SLOT_BYTES, first_page};
use crate::format::overflow::{OverflowRef, pages_for};
use crate::format::page::{self, PAGE_HEADER_BYTES, PageType};
use crate::format::slotted::Slotted;
use crate::ids::PageNo;
use crate::pager::{Node, Slot};

/// Bytes of a header slot that this version writes as zeros but accepts from later ones: two words
/// of features, and what is reserved.
const FREE_HEADER_BYTES: [std::ops::Range<usize>; 2] = [16..32, 232..SLOT_BYTES - 4];

/// A header slot: as it is, and with its magic and checksum put right.
pub fn header(data: &[u8]) {
    let _ = Header::decode(data);
    let mut slot = data.to_vec();
    slot.resize(SLOT_BYTES, 0);
    check_header(&slot);
    put(&mut slot, 0, b"HexxlaDB");
    reseal_slot(&mut slot);
    check_header(&slot);
}

fn check_header(slot: &[u8]) {
    let Ok(header) = Header::decode(slot) else { return };
    let encoded = header.encode();
    assert_eq!(Header::decode(&encoded).as_ref(), Ok(&header), "a header reads back");
    let (mut ours, mut theirs) = (encoded.clone(), slot.to_vec());
    for range in FREE_HEADER_BYTES {
        ours[range.clone()].fill(0);
        theirs[range].fill(0);
    }
    assert_eq!(ours[..SLOT_BYTES - 4], theirs[..SLOT_BYTES - 4], "no byte is ignored");
    assert!(header.slot_offset() + SLOT_BYTES as u64 <= HEADER_BYTES);
    let page_bytes = u64::from(header.page_size);
    assert!(header.page_count.checked_mul(page_bytes).is_some(), "offsets fit");
    assert!(header.catalog.0.0 >= first_page(header.page_size as usize));
    let mut flipped = slot.to_vec();
    let at = some_place(slot, SLOT_BYTES);
    flipped[at] ^= 1 << (at % 8);
    assert!(Header::decode(&flipped).is_err(), "a flip at {at} is found");
}

/// A page. The first byte chooses its type, the second its size from 512 bytes on; the rest is its
/// content behind the page header, which is made right.
pub fn page(data: &[u8]) {
    let mut input = Input(data);
    let kind = input.byte() % 5;
    let page_size = 512 << (input.byte() % 8);
    let content = input.0;
    if kind == 4 {
        return overflow_ref(content, page_size);
    }
    let mut bytes = vec![0; page_size];
    let len = content.len().min(page_size - PAGE_HEADER_BYTES);
    bytes[PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + len].copy_from_slice(&content[..len]);
    let page_type = [PageType::Leaf, PageType::Branch, PageType::Catalog, PageType::FreeList]
        [usize::from(kind)];
    check_seal(&mut bytes, page_type);
    match page_type {
        PageType::Catalog => catalog(&bytes),
        PageType::FreeList => free_list(&bytes),
        _ => node(&bytes),
    }
}

const PAGE: PageNo = PageNo(77);

/// A sealed page is accepted as just what it is, where it is, and with no bit changed.
fn check_seal(bytes: &mut [u8], page_type: PageType) {
    let checksum = page::seal(bytes, page_type, PAGE);
    assert_eq!(page::verify(bytes, page_type, PAGE, &checksum), Ok(()));
    assert_eq!(page::verify_alone(bytes, PAGE), Ok(page_type as u8));
    assert!(page::verify(bytes, PageType::Overflow, PAGE, &checksum).is_err());
    assert!(page::verify_alone(bytes, PageNo(78)).is_err());
    let at = some_place(bytes, bytes.len());
    bytes[at] ^= 1 << (at % 8);
    assert!(page::verify_alone(bytes, PAGE).is_err(), "a flip at {at} is found");
    // The pointer's checksum does not cover the page's own.
    assert!(at < 4 || page::verify(bytes, page_type, PAGE, &checksum).is_err());
    bytes[at] ^= 1 << (at % 8);
}

fn catalog(bytes: &[u8]) {
    let Ok(catalog) = Catalog::decode(bytes) else { return };
    let encoded = catalog.encode(bytes.len()).expect("what was read from a page fits one");
    assert_eq!(Catalog::decode(&encoded).as_ref(), Ok(&catalog));
}

fn free_list(bytes: &[u8]) {
    let (first, page_count) = (first_page(bytes.len()), 1 << 40);
    let Ok(list) = FreeListPage::decode(bytes, first, page_count) else { return };
    assert!(list.extents.len() <= FreeListPage::capacity(bytes.len()));
    for extent in &list.extents {
        assert!(extent.start.0 >= first && extent.start.0 + extent.pages <= page_count);
    }
    let encoded = list.encode(bytes.len());
    assert_eq!(FreeListPage::decode(&encoded, first, page_count).as_ref(), Ok(&list));
}

fn overflow_ref(bytes: &[u8], page_size: usize) {
    let Ok(reference) = OverflowRef::decode(bytes, page_size) else { return };
    assert_eq!(&reference.encode()[..], bytes);
    let pages = pages_for(reference.len as usize, page_size);
    assert_eq!(reference.extents.iter().map(|extent| extent.pages).sum::<u64>(), pages);
    assert!(reference.pages().take(pages as usize + 1).count() as u64 <= pages);
}

/// A leaf or a branch: what is accepted behaves as a sorted map, under changes too.
fn node(bytes: &[u8]) {
    let pointer =
        ChildPointer { page: PAGE, checksum: page::checksum(bytes), ..ChildPointer::default() };
    let disk = Slot::from_pointer(pointer).disk().expect("it names a page");
    let Ok(node) = Node::from_page(bytes.into(), disk, &Arc::default()) else { return };
    let keys = &node.keys;
    for index in 0..keys.count() {
        let key = keys.key(index);
        assert_eq!(keys.search(&key), Ok(index), "each key is found where it is");
        assert!(index == 0 || keys.key(index - 1) < key, "keys ascend");
        let (range, _) = keys.value_range(index);
        assert!(range.end <= bytes.len());
    }
    let used = keys.used_bytes() + keys.free_bytes();
    assert_eq!(used, Slotted::capacity(bytes.len()), "every byte is used or free");
    if keys.level() == 0 {
        change(keys.clone());
        return;
    }
    assert_eq!(node.children.len(), keys.count() + 1);
    assert!(node.children.iter().all(|child| child.disk().is_some()));
    let (encoded, checksum) = node.encode(PAGE).expect("every child is on disk");
    // The type is part of the checksum: the node knows itself for a branch.
    let is_branch = page::verify_alone(bytes, PAGE) == Ok(PageType::Branch as u8);
    assert_eq!(*encoded == *bytes, is_branch, "a branch encodes as it was read");
    assert_eq!(checksum, page::checksum(&encoded));
    let pointer = node.children.iter().next().and_then(Slot::pointer).expect("it is on disk");
    let read = ChildPointer::decode(&mut Reader::new(&pointer.to_bytes()));
    assert_eq!(read, Ok(pointer));
}

/// Puts, replaces and removes entries beside a plain map; each state must pass the check that
/// pages from disk pass.
fn change(mut leaf: Slotted) {
    let entry = |leaf: &Slotted, index: usize| {
        let (range, overflow) = leaf.value_range(index);
        (leaf.key(index).to_vec(), (leaf.bytes()[range].to_vec(), overflow))
    };
    let mut model: BTreeMap<_, _> = (0..leaf.count()).map(|index| entry(&leaf, index)).collect();
    let seed = some_place(leaf.bytes(), 1 << 16);
    for step in 0..6_u8 {
        let at = (seed >> step) % leaf.count().max(1);
        let value = vec![step; (seed >> step) % 40];
        match step % 3 {
            0 if leaf.count() > 0 => {
                model.remove(&leaf.key(at).to_vec());
                leaf.remove(at);
            }
            1 if leaf.count() > 0 => {
                if leaf.replace(at, &value, false, 0) {
                    model.insert(leaf.key(at).to_vec(), (value, false));
                }
            }
            _ => {
                let key = [&(seed as u16).to_be_bytes()[..], &[step; 5]].concat();
                if let Err(index) = leaf.search(&key)
                    && leaf.insert(index, &key, &value, false, 0)
                {
                    model.insert(key, (value, false));
                }
            }
        }
        let found: BTreeMap<_, _> = (0..leaf.count()).map(|index| entry(&leaf, index)).collect();
        assert_eq!(found, model, "after step {step}");
        let again = Slotted::from_bytes(leaf.bytes().into());
        assert!(again.is_ok(), "step {step} left a page that is refused: {:?}", again.err());
    }
}
