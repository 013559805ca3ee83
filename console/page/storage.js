// A browser that blocks cookies throws at any use of storage. The page then
// works and forgets.

export function load(storage, key) {
  try {
    return window[storage].getItem(key) ?? "";
  } catch {
    return "";
  }
}

export function save(storage, key, value) {
  try {
    window[storage].setItem(key, value);
  } catch {
    // Nothing to do: it is kept for as long as the page is open.
  }
}
