// Which term wrote which stretch of the log.
//
// Terms never fall along a log, and a leader writes its term's entries one behind the other, so the stretch
// of a term is the same in every log as far as both reach (the Log Matching Property, thesis 3.5): a position
// and the term of the entry that ends there identify the whole log up to it. That is all that elections and
// the consistency check need to know of a log, in a few bytes a term.
#pragma once

#include "base/ids.hpp"

#include <cstddef>
#include <vector>

namespace holdfast::consensus {

struct term_run {
    log_position first; // of the first entry of the term, fillers included
    term_number term;
    friend bool operator==(const term_run&, const term_run&) = default;
};

class term_runs {
  public:
    // An entry of `term` begins at `position`, behind all that was noted before.
    void note(log_position position, term_number term);
    // The log ends at `end` now.
    void truncate(log_position end);
    // Retention: nobody asks about what lies below any more.
    void drop_before(log_position first);

    // Of the entry that ends at `position`; 0 at the beginning of what is known.
    [[nodiscard]] term_number term_before(log_position position) const;
    // Of the entry that begins at `position`, or around it.
    [[nodiscard]] term_number term_at(log_position position) const;
    [[nodiscard]] term_number last() const { return runs_.empty() ? term_number{0} : runs_.back().term; }
    // Those that reach beyond `position`, oldest first, at most `most`.
    [[nodiscard]] std::vector<term_run> beyond(log_position position, std::size_t most) const;
    [[nodiscard]] const std::vector<term_run>& all() const { return runs_; }

    friend bool operator==(const term_runs&, const term_runs&) = default;

  private:
    std::vector<term_run> runs_; // rising in both
};

// The greatest position up to which two logs are the same for certain. One log is `ours` and ends at
// `our_end`; of the other we know that it agrees with ours up to `floor`, its runs beyond that, and its end.
[[nodiscard]] log_position agreement(const term_runs& ours, log_position our_end,
                                     const std::vector<term_run>& others, log_position others_end,
                                     log_position floor);

} // namespace holdfast::consensus
