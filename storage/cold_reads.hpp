// Who reads what of the log from the disk right now, so that no two read the same at once: the pulls of one
// consumer's queues want the same entries at nearly the same time, and each reader would read, check and keep
// them again.
//
// Threads: any. Nobody holds two turns.
#pragma once

#include "base/ids.hpp"

#include <condition_variable>
#include <cstddef>
#include <list>
#include <mutex>

namespace holdfast::storage {

class cold_reads {
  public:
    // To read what begins at `first`, and what follows it up to `until`. Waits while another turn covers
    // `first`; ends with its life.
    class turn {
      public:
        turn(cold_reads& all, log_position first, log_position until);
        ~turn();
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;

        // Another has read there meanwhile: it may be in memory now.
        [[nodiscard]] bool has_waited() const { return has_waited_; }

      private:
        struct range {
            log_position first;
            log_position until;
        };
        friend class cold_reads;

        cold_reads& all_;
        std::list<range>::iterator mine_;
        bool has_waited_ = false;
    };

    // How many wait for a turn right now.
    [[nodiscard]] std::size_t waiting() const;

  private:
    [[nodiscard]] bool is_covered(log_position position) const;

    mutable std::mutex mutex_;
    std::condition_variable ended_;
    std::list<turn::range> ranges_;
    std::size_t waiting_ = 0;
};

} // namespace holdfast::storage
