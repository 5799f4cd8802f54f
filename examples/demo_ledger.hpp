// What the processes of the demonstration said (demo_roles.hpp has the words), and what that adds up to.
#pragma once

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace holdfast::demo {

// Lines may come from several threads.
class ledger {
  public:
    void note(const std::string& line) {
        const auto space = line.find(' ');
        if (space == std::string::npos)
            return;
        const auto what = line.substr(0, space);
        const auto id = line.substr(space + 1);
        const std::lock_guard lock{mutex_};
        if (what == "sent")
            sent_.insert(id);
        else if (what == "answered")
            answered_.insert(id);
        else if (what == "decided")
            decided_.insert(id);
        else if (what == "refused")
            refused_.insert(id);
        else if (what == "got")
            ++delivered_[id];
        else if (what == "done")
            done_.insert(id);
    }

    struct sums {
        std::size_t sent = 0, answered = 0, refused = 0, delivered = 0, done = 0, lost = 0, duplicates = 0;
        std::size_t wrongly_seen = 0;
        std::string example_lost;
        [[nodiscard]] bool good() const { return lost == 0 && wrongly_seen == 0; }
    };
    [[nodiscard]] sums add_up() const {
        const std::lock_guard lock{mutex_};
        sums all;
        all.sent = sent_.size();
        all.answered = answered_.size();
        all.refused = refused_.size();
        all.delivered = delivered_.size();
        all.done = done_.size();
        for (const auto& [id, times] : delivered_) {
            all.duplicates += static_cast<std::size_t>(times) - 1;
            all.wrongly_seen += refused_.contains(id) ? 1 : 0;
        }
        // What was answered, or committed in the database, must be seen and worked on.
        auto owed = decided_;
        std::set_difference(answered_.begin(), answered_.end(), refused_.begin(), refused_.end(),
                            std::inserter(owed, owed.end()));
        for (const auto& id : owed)
            if (!done_.contains(id)) {
                ++all.lost;
                all.example_lost = id;
            }
        return all;
    }
    [[nodiscard]] bool has(const char* what, const std::string& id) const {
        const std::lock_guard lock{mutex_};
        return (what == std::string{"decided"} ? decided_ : done_).contains(id);
    }

  private:
    mutable std::mutex mutex_;
    std::set<std::string> sent_, answered_, decided_, refused_, done_;
    std::map<std::string, int> delivered_;
};

} // namespace holdfast::demo
