export function Logo() {
  return <img className="logo" src="/icon.svg" alt="" width={24} height={24} />;
}
