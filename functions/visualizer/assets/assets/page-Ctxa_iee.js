import{a as r}from"./index-DP1zG6lm.js";function a(){return r("p",{class:"pad",children:"To come."})}export{a as GraphPage};
