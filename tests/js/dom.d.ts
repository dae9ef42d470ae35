// What the pages' own markup promises to the scripts: an element that they look for is of the kind
// that they take it for. Which kind that is stands in the template, where no type checker looks.
interface Markup extends HTMLElement {
  checked: boolean;
  close(): void;
  disabled: boolean;
  readonly files: FileList;
  readonly form: HTMLFormElement;
  href: string;
  open: boolean;
  readonly options: HTMLOptionsCollection;
  select(): void;
  readonly selectedOptions: HTMLCollectionOf<HTMLOptionElement>;
  showModal(): void;
  value: string;
}

interface ParentNode {
  querySelector(selectors: string): Markup | null;
  querySelectorAll(selectors: string): NodeListOf<Markup>;
}

interface Document {
  getElementById(id: string): Markup | null;
}

interface Element {
  closest(selectors: string): Markup | null;
  // The DOM itself makes text of it.
  setAttribute(name: string, value: string | number | boolean): void;
}

// Ours carry what happened.
interface Event {
  readonly detail?: any;
}
