/** Market. */
export function MarketPage() {
  return <p class="pad">To come.</p>;
}
