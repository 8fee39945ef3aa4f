/** What a server is called in shared memory. */

declare const serverBrand: unique symbol;
/** A server of a pool: slot in the low 12 bits, the slot's generation above. Stays the same over reloads. */
export type ServerId = number & { readonly [serverBrand]: true };

const SLOT_BITS = 12;
const SLOT_MASK = (1 << SLOT_BITS) - 1;

/** The slot of a server id. */
export const slotOf = (id: ServerId): number => id & SLOT_MASK;
/** The id of a slot in one generation (1 to 524,287). */
export const serverId = (slot: number, generation: number): ServerId => ((generation << SLOT_BITS) | slot) as ServerId;
