/** A phone number as people write it: Brazilian ones in groups, others as they are. */
export function phoneText(phone: string): string {
  const brazil = /^\+55(\d{2})(\d{4,5})(\d{4})$/.exec(phone);
  return brazil ? `+55 ${brazil[1]} ${brazil[2]}-${brazil[3]}` : phone;
}
