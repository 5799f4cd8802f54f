// The start of a node that may find its log rotten, and is not alone: what is rotten is fetched from the
// other nodes of the group first, and then it boots, as the member it was. It says so little meanwhile that
// it need not be a member: it neither votes nor acknowledges, but gives bytes to others that ask (they may be
// rotten in another place).
//
// What no other node can prove is refused as before: nothing is ever cut.
#pragma once

#include "actors/boot.hpp"

#include <csignal>
#include <optional>

namespace holdfast::actors {

// As boot(). Nothing: one of `signals`, which are blocked, has asked this process to end meanwhile.
result<std::optional<booted_replica>> boot_or_repair(const config::node_config& config,
                                                     const sigset_t& signals);

} // namespace holdfast::actors
