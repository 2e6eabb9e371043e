/** Platform. */
export function PlatformPage() {
  return <p class="pad">To come.</p>;
}
