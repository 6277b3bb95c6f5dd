// Money, times and counts as the page writes them. Pure: no DOM.

const LOCALE = "en-GB"; // the page is in English, in every browser

export function money({ value, currency }) {
  const format = new Intl.NumberFormat(LOCALE, { style: "currency", currency });
  // Amounts are in minor units, and currencies differ in how many digits those have.
  return format.format(value / 10 ** format.resolvedOptions().maximumFractionDigits);
}

function timeFormat(options) {
  const format = new Intl.DateTimeFormat(LOCALE, options);
  return (time) => format.format(new Date(time));
}

const UTC = "UTC";
const formatsOf = new Map();

/** The formats of a time zone. A zone that this browser does not know is told in UTC, and says so. */
function zoned(zone = UTC) {
  if (!formatsOf.has(zone)) {
    try {
      const format = (options) => new Intl.DateTimeFormat(LOCALE, { ...options, timeZone: zone });
      formatsOf.set(zone, { day: format(DAY), hour: format(HOUR), zone: format({ timeZoneName: "short" }) });
    } catch {
      formatsOf.set(zone, zoned(UTC));
    }
  }
  return formatsOf.get(zone);
}
const DAY = { weekday: "short", day: "numeric", month: "short" };
const HOUR = { hour: "2-digit", minute: "2-digit" };

/** A flight's departure as the clock of its airport shows it: `{ day, hour, zone }`, such as `CET`. */
export function departure({ departs_at: at, time_zone: timeZone }) {
  const { day, hour, zone } = zoned(timeZone);
  const moment = new Date(at);
  const name = zone.formatToParts(moment).find(({ type }) => type === "timeZoneName").value;
  return { day: day.format(moment), hour: hour.format(moment), zone: name };
}
export const day = timeFormat(DAY);
export const hour = timeFormat(HOUR);
const second = timeFormat({ hour: "2-digit", minute: "2-digit", second: "2-digit" });

const sameDay = (time, now) => new Date(time).toDateString() === now.toDateString();

/** To the minute, and with the day unless that is today. */
export const moment = (time, now = new Date()) => (sameDay(time, now) ? hour(time) : `${day(time)}, ${hour(time)}`);

/** To the second, and with the day unless that is today. */
export const stamp = (time, now = new Date()) => (sameDay(time, now) ? second(time) : `${day(time)}, ${second(time)}`);

export const seats = (count) => (count === 1 ? "1 seat" : `${count} seats`);

/** A name of the API as words, for values that this page has no text for: `no_show` is "No show". */
export function words(name) {
  const text = String(name).replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** A capital at the start and a full stop at the end. */
export function sentence(text) {
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
}
