/** Graph. */
export function GraphPage() {
  return <p class="pad">To come.</p>;
}
