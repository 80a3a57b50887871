export const BUDGET: number
export function scriptBytes(dist: string, page: 'customer' | 'dispatch' | 'drive'): Promise<number>
