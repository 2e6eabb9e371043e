/** A list of any length of which only the rows in sight are in the document. */
import {
  Virtualizer,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  type VirtualItem,
} from '@tanstack/virtual-core';
import type { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';

export interface RowsProps {
  label: string;
  /** Titles of the columns. */
  columns: string[];
  /** Class that sets the widths of the columns. */
  layout: string;
  count: number;
  height: number;
  /** Whether there are more rows than `count`, unknown as yet. */
  isPartial?: boolean;
  keyOf(index: number): string;
  row(index: number): ComponentChildren;
  rowClass?(index: number): string;
  /** Called when the end comes near. */
  onEnd?(): void;
  /** Called with the first and the last row in sight. */
  onSight?(first: number, last: number): void;
  empty?: ComponentChildren;
}

/** Rows as a table for a screen reader: `role` and numbers stand for what is not in the document. */
export function Rows(props: RowsProps) {
  const place = useRef<HTMLDivElement>(null);
  const [, redraw] = useState(0);
  const kept = useRef<Virtualizer<HTMLDivElement, Element> | undefined>(undefined);
  kept.current ??= new Virtualizer<HTMLDivElement, Element>(options(props, place, () => redraw((count) => count + 1)));
  const virtual = kept.current;
  virtual.setOptions(options(props, place, () => redraw((count) => count + 1)));
  useLayoutEffect(() => virtual._didMount(), [virtual]);
  useLayoutEffect(() => virtual._willUpdate());
  const items = virtual.getVirtualItems();
  const first = items[0]?.index ?? 0;
  const last = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (props.count > 0) props.onSight?.(first, last);
    if (last >= props.count - 20) props.onEnd?.();
  }, [first, last, props.count]);
  return (
    <div
      class={`rows ${props.layout}`}
      role="table"
      aria-label={props.label}
      aria-rowcount={props.isPartial ? -1 : props.count + 1}
    >
      <div class="rows-head" role="row">
        {props.columns.map((column) => (
          <span role="columnheader" key={column}>
            {column}
          </span>
        ))}
      </div>
      <div class="rows-body" role={props.count === 0 ? 'presentation' : 'rowgroup'} ref={place} {...(props.count === 0 ? {} : { tabIndex: 0, 'aria-label': props.label })}>
        <div class="rows-all" role="presentation" style={{ height: `${virtual.getTotalSize()}px` }}>
          {items.map((item) => (
            <div
              key={props.keyOf(item.index)}
              class={`row ${props.rowClass?.(item.index) ?? ''}`}
              role="row"
              aria-rowindex={item.index + 2}
              style={rowStyle(item)}
            >
              {props.row(item.index)}
            </div>
          ))}
        </div>
        {props.count === 0 && <div class="empty">{props.empty}</div>}
      </div>
    </div>
  );
}

/** A cell of a row. */
export function Cell(props: { class?: string; title?: string | undefined; children?: ComponentChildren }) {
  return (
    <span role="cell" class={props.class} title={props.title}>
      {props.children}
    </span>
  );
}

function rowStyle(item: VirtualItem) {
  return { height: `${item.size}px`, transform: `translateY(${item.start}px)` };
}

function options(props: RowsProps, place: { current: HTMLDivElement | null }, redraw: () => void) {
  return {
    count: props.count,
    getScrollElement: () => place.current,
    estimateSize: () => props.height,
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    overscan: 6,
    initialRect: { width: 0, height: 600 },
    onChange: redraw,
  };
}
