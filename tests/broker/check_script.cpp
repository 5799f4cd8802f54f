#include "tests/broker/check_script.hpp"

#include "broker/check_schedule.hpp"
#include "tests/broker/script_blocks.hpp"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>

namespace holdfast::broker::testing {
namespace {

class script_runner {
  public:
    std::string run(const std::string& script) {
        return run_blocks(script, [this](const script_event& event, std::ostream& out) {
            out_ = &out;
            step(event);
        });
    }

  private:
    static log_position half_of(const script_event& event) {
        return log_position{std::stoull(event.subject)};
    }

    void step(const script_event& event) {
        if (event.name == "rules") {
            schedule_.emplace(check_rules{std::chrono::milliseconds{event.number("timeout", 6'000)},
                                          std::chrono::milliseconds{event.number("interval", 30'000)},
                                          static_cast<std::uint32_t>(event.number("most", 15))});
        } else if (event.name == "half") {
            store(event);
        } else if (event.name == "decided") {
            undecided_.erase(half_of(event));
        } else if (event.name == "joins") {
            producers_.insert(event.subject);
            schedule_->joined(event.subject);
        } else if (event.name == "leaves") {
            producers_.erase(event.subject);
        } else if (event.name == "unreadable") {
            unreadable_.insert(half_of(event));
        } else if (event.name == "tick") {
            tick(timestamp_ms{event.number("now", 0)}, static_cast<std::size_t>(event.number("most", 100)));
        } else {
            ADD_FAILURE() << "there is no event " << event.name;
        }
    }

    void store(const script_event& event) {
        half_message half;
        half.position = half_of(event);
        half.stored = timestamp_ms{event.number("at", 0)};
        half.immunity_ms = static_cast<std::int32_t>(event.number("immunity", -1));
        half.checks = static_cast<std::uint16_t>(event.number("checks", 0));
        half.last_checked = timestamp_ms{event.number("last", 0)};
        half.group = std::make_shared<const std::string>(event.arguments.at("group"));
        undecided_[half.position] = half;
        schedule_->add(half);
    }

    void tick(timestamp_ms now, std::size_t most) {
        const auto taken = schedule_->take_due(now, most);
        EXPECT_LE(taken.size(), most);
        for (const auto position : taken) {
            const auto found = undecided_.find(position);
            if (found == undecided_.end())
                *out_ << position << " is decided\n";
            else
                look_at(found->second, now);
        }
        if (schedule_->has_due(now))
            *out_ << "more\n";
    }

    void look_at(half_message& half, timestamp_ms now) {
        if (schedule_->judge(half) == check_schedule::task::give_up) {
            *out_ << "give up " << half.position << '\n';
            schedule_->rest(half.position, now);
            undecided_.erase(half.position);
        } else if (!producers_.contains(*half.group)) {
            *out_ << "nobody to ask about " << half.position << '\n';
            schedule_->await(half, now);
        } else if (unreadable_.contains(half.position)) {
            *out_ << "can't read " << half.position << '\n';
            schedule_->rest(half.position, now);
        } else {
            ++half.checks;
            half.last_checked = now;
            *out_ << "ask " << *half.group << " about " << half.position << ", check " << half.checks << '\n';
            schedule_->rest(half.position, now);
        }
    }

    std::optional<check_schedule> schedule_;
    std::map<log_position, half_message> undecided_;
    std::set<std::string> producers_;
    std::set<log_position> unreadable_;
    std::ostream* out_ = nullptr; // of the event under way
};

} // namespace

std::string run_check_script(const std::string& script) {
    return script_runner{}.run(script);
}

} // namespace holdfast::broker::testing
