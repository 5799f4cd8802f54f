#include "client/half_message.hpp"

namespace holdfast::client {

void half_message::decide(transaction_decision decision, decision_callback done) {
    if (std::exchange(decided_, true)) {
        if (done)
            done(error{errc::invalid_argument, "the transaction was decided before; the first word counts"});
        return;
    }
    if (const auto sink = sink_.lock())
        return sink->decide(place_, decision, std::move(done));
    if (done)
        done(error{errc::unavailable, "the producer is gone; the broker will ask another one of its group"});
}

} // namespace holdfast::client
