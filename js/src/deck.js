const SWITCH = 0.008; // seconds in which one sound gives way to another: long enough not to click
const LEAD = 0.03; // seconds between the order to play and the first sample, so that all sounds start together
const JOIN = 0.3; // the same for a sound that joins the others later: in time also where the browser is busy

/**
 * Sounds that run side by side on one clock; one of them is let through. `fetch(number)` gives a sound as a file's
 * bytes, asked for once; `changed` is called when it starts, stops or has another sound ready.
 */
export class Deck {
  constructor(tracks, fetch, changed) {
    this.tracks = tracks;
    this.fetch = fetch;
    this.changed = changed;
    this.heard = 0;
    this.levels = tracks.map(() => 1);
    this.voices = tracks.map(() => null); // {buffer, gain, begin, source} of each sound that is here
    this.coming = new Map();
    this.position = 0;
    this.playing = false;
    this.length = Math.max(...tracks.map(({ duration }) => duration));
  }

  /** Seconds from the beginning, as they are heard at this moment. */
  get now() {
    const passed = this.playing ? Math.max(this.context.currentTime - this.began, 0) : 0;
    return Math.min(this.position + passed, this.length);
  }

  /** Start where it stands, as soon as the chosen sound is here; the others are fetched meanwhile. */
  async play() {
    this.context ??= new AudioContext();
    await Promise.all([this.load(this.heard), this.context.resume()]);
    if (this.playing || this.closed) return;
    if (this.now >= this.length) this.position = 0;
    this.began = this.context.currentTime + LEAD;
    this.playing = true;
    this.voices.forEach((voice) => voice && this.start(voice, this.began));
    this.timer = setInterval(() => this.now >= this.length && this.stop(0), 50);
    this.changed();
    this.loadRest();
  }

  async loadRest() {
    for (const number of this.tracks.keys()) {
      if (!this.tracks[number].problem) await this.load(number).catch(() => {}); // choosing it will tell
    }
  }

  pause() {
    if (this.playing) this.stop(this.now);
  }

  stop(position) {
    clearInterval(this.timer);
    this.voices.forEach((voice) => voice?.source?.stop());
    this.position = position;
    this.playing = false;
    this.changed();
  }

  seek(seconds) {
    const position = Math.min(Math.max(seconds, 0), this.length);
    const goesOn = this.playing && position < this.length;
    if (this.playing) this.stop(position);
    this.position = position;
    if (goesOn) this.play();
    this.changed();
  }

  /** Let this sound through instead, at once or as soon as it is here. */
  async choose(number) {
    this.heard = number;
    this.changed();
    if (this.context) await this.load(number);
    this.mix();
  }

  /** How loud each sound is when it is let through. */
  setLevels(levels) {
    this.levels = levels;
    this.mix();
  }

  mix() {
    if (!this.voices[this.heard]) return; // the sound before goes on until this one is here, and runs
    const at = Math.max(this.context.currentTime, this.voices[this.heard].begin);
    this.voices.forEach((voice, number) => {
      if (!voice) return;
      const level = number === this.heard ? this.levels[number] : 0;
      const { gain } = voice.gain;
      gain.cancelScheduledValues(0);
      gain.setValueAtTime(gain.value, at);
      gain.linearRampToValueAtTime(level, at + SWITCH);
    });
  }

  /** The sound decoded and ready; every sound is asked for once, a failure may be tried again. */
  load(number) {
    if (!this.coming.has(number)) {
      const wish = this.ready(number);
      wish.catch(() => this.coming.delete(number));
      this.coming.set(number, wish);
    }
    return this.coming.get(number);
  }

  async ready(number) {
    const bytes = await this.fetch(number);
    const buffer = await this.context.decodeAudioData(bytes);
    if (this.closed) return;
    const gain = this.context.createGain();
    gain.gain.value = 0;
    gain.connect(this.context.destination);
    const voice = (this.voices[number] = { buffer, gain, begin: 0, source: null });
    if (this.playing) this.start(voice, this.context.currentTime + JOIN);
    this.mix();
    this.changed();
  }

  /** Let a sound run from that moment of the clock on, in step with the others. */
  start(voice, begin) {
    voice.begin = begin;
    voice.source = this.context.createBufferSource();
    voice.source.buffer = voice.buffer;
    voice.source.connect(voice.gain);
    voice.source.start(begin, this.position + begin - this.began);
  }

  close() {
    this.closed = true;
    if (this.playing) this.stop(0);
    this.context?.close();
  }
}
