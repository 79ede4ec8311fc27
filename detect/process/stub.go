package process

import "github.com/weir-ics/weir/detect"

type rule struct{}
type commands struct{}
type covert struct{}
type baseline struct{}

func (e *Engine) judgeRule(r *rule, t *ticker)                             {}
func (e *Engine) findRules(t *ticker)                                      {}
func (e *Engine) fitCommands(p *point)                                     {}
func (e *Engine) command(p *point, s *detect.Sample)                       {}
func (e *Engine) effect(p *point, s *detect.Sample, was float64, had bool) {}
func (e *Engine) expire(clock int64)                                       {}
func (e *Engine) bind(p *point)                                            {}
