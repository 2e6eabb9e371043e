/** Models. */
export function ModelsPage() {
  return <p class="pad">To come.</p>;
}
